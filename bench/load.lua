-- The script of wrk: each request is a new connection with one event that was never sent before.
-- Arguments after `--`: the file with the body's template (bench/envelopes.py), the bearer token, a seed.

local parts, head = {}, nil
local second, stamp, made = 0, "", 0

local function read(path)
   local file = assert(io.open(path, "rb"))
   local text = file:read("*a")
   file:close()
   return text
end

-- "a@ID@b" becomes {"a", "@ID@", "b"}.
local function split(text)
   local at = 1
   for first, name, last in text:gmatch("()@(%u+)@()") do
      parts[#parts + 1] = text:sub(at, first - 1)
      parts[#parts + 1] = "@" .. name .. "@"
      at = last
   end
   parts[#parts + 1] = text:sub(at)
end

local function hex() return string.format("%08x", math.random(0, 4294967295)) end

local function now()
   local time = os.time()
   if time ~= second then
      second, stamp = time, os.date("!%Y-%m-%dT%H:%M:%S", time)
   end
   return string.format("%s.%09dZ", stamp, made)
end

local function values()
   made = made + 1
   local a, b, c, d = hex(), hex(), hex(), hex()
   return {
      ["@ID@"] = a .. "-" .. b:sub(1, 4) .. "-4" .. b:sub(6) .. "-a" .. c:sub(2, 4) .. "-" .. c:sub(5) .. d,
      ["@TIME@"] = now(),
      ["@DIGEST@"] = a .. b .. c .. d .. hex() .. hex() .. hex() .. hex(),
      ["@APP@"] = string.format("%02d", made % 20),
      ["@TAG@"] = string.format("%02d", math.floor(made / 20) % 50),
   }
end

local function body()
   local found, filled = values(), {}
   for at, part in ipairs(parts) do filled[at] = found[part] or part end
   return table.concat(filled)
end

function init(arguments)
   split(read(arguments[1]))
   math.randomseed(tonumber(arguments[3]))
   head = "POST /events HTTP/1.1\r\nHost: tagtrail\r\nConnection: close\r\n"
      .. "Content-Type: application/vnd.docker.distribution.events.v1+json\r\n"
      .. "Authorization: Bearer " .. arguments[2] .. "\r\nContent-Length: " .. #body() .. "\r\n\r\n"
end

function request() return head .. body() end

function done(summary, latency, requests)
   local errors = summary.errors
   io.write(string.format(
      '{"answers":%d,"seconds":%.6f,"p50":%.6f,"p99":%.6f,"longest":%.6f,"refused":%d,"broken":%d}\n',
      summary.requests, summary.duration / 1e6,
      latency:percentile(50) / 1e6, latency:percentile(99) / 1e6, latency.max / 1e6,
      errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
