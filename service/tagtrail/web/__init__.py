"""What is seen: pages made on the server, usable without a script, for people who would rather look than read.

A page is made of a `visit`, by one of `pages/`, under the `blueprint`, its `policy` and its `failures`; people come in
by the `doors`, are known by their `session`, and change things by `actions`. What several pages show is made beside
them: lines that are `told` in a `sentence`, lists with their `paging`, `portions`, `choices` and `exports`, the board's
`strip`, how a registry is `wired`, and values in the `manner` of a page. `timeline/` draws a repository along time.
"""
