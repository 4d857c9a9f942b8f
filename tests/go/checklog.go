// Checks what our log says with the packages that check Go's own module database: a signed checkpoint, proofs that
// lines are under it, and proofs that it only grew. Reads one JSON object, prints a verdict for each, in order.
package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type question struct {
	Keys    []string
	Note    string
	Records []struct {
		Index int64
		Line  []byte // Base64 in JSON, as all bytes here
		Path  [][]byte
	}
	Trees []struct {
		Size  int64
		Root  []byte
		Proof [][]byte
	}
}

func main() {
	var asked question
	must(json.NewDecoder(os.Stdin).Decode(&asked))
	var verifiers []note.Verifier
	for _, key := range asked.Keys {
		verifier, err := note.NewVerifier(key)
		must(err)
		verifiers = append(verifiers, verifier)
	}
	opened, err := note.Open([]byte(asked.Note), note.VerifierList(verifiers...))
	must(err)
	fmt.Println("signed by", len(opened.Sigs))
	tree, err := parse(opened.Text)
	must(err)
	for _, record := range asked.Records {
		err := tlog.CheckRecord(hashes(record.Path), tree.N, tree.Hash, record.Index, tlog.RecordHash(record.Line))
		say("record", record.Index, err)
	}
	for _, old := range asked.Trees {
		say("tree", old.Size, tlog.CheckTree(hashes(old.Proof), tree.N, tree.Hash, old.Size, hash(old.Root)))
	}
}

// parse reads a checkpoint; tlog knows only the one whose origin is Go's own.
func parse(text string) (tlog.Tree, error) {
	if strings.HasPrefix(text, "go.sum database tree\n") {
		return tlog.ParseTree([]byte(text))
	}
	lines := strings.Split(text, "\n")
	if len(lines) < 4 {
		return tlog.Tree{}, fmt.Errorf("this is no checkpoint")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	return tlog.Tree{N: size, Hash: hash(root)}, err
}

func hashes(all [][]byte) []tlog.Hash {
	var found []tlog.Hash
	for _, each := range all {
		found = append(found, hash(each))
	}
	return found
}

func hash(bytes []byte) (found tlog.Hash) {
	if len(bytes) != tlog.HashSize {
		log.Fatal("a hash has 32 bytes")
	}
	copy(found[:], bytes)
	return found
}

func say(what string, number int64, err error) {
	verdict := "proved"
	if err != nil {
		verdict = "refused"
	}
	fmt.Println(what, number, verdict)
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
