# SPDX-License-Identifier: Apache-2.0
"""What runs in Lua before a script: the globals that it has, and nothing else.

The script's environment is a new table. Whatever reaches the outside (`io`, `os`, `debug`, `package`, the runtime's own
`python`), compiles bytecode, or makes it, is not in it.
"""

from __future__ import annotations

PRELUDE = r"""
local call, say = ...
local error, pairs, ipairs, type, tostring, select, load = error, pairs, ipairs, type, tostring, select, load
local setmetatable, getmetatable, rawget, xpcall, math_type = setmetatable, getmetatable, rawget, xpcall, math.type
local pack, unpack, concat = table.pack, table.unpack, table.concat
local traceback = debug.traceback
local FAILED = {}
local arrays = setmetatable({}, {__mode = "k"})
local host, mark, marked = call, nil, nil

mark = function(t) arrays[t] = true; return t end
marked = function(t) return arrays[t] == true end

-- Functions of Python's, by name: an error of theirs is an error at the script's line.
local function from_host(name)
  return function(...)
    local answer = pack(host(mark, marked, name, ...))
    if not answer[1] then error(answer[2], 2) end
    return unpack(answer, 2, answer.n)
  end
end

local function module(prefix, ...)
  local made = {}
  for _, name in ipairs({...}) do made[name] = from_host(prefix .. "." .. name) end
  return made
end

local function copy(source)
  local made = {}
  for name, value in pairs(source) do made[name] = value end
  return made
end

string.dump = nil
local env = {}
for _, name in ipairs({"assert", "error", "getmetatable", "ipairs", "next", "pairs", "pcall", "rawequal", "rawget",
    "rawlen", "rawset", "select", "setmetatable", "tonumber", "tostring", "type", "xpcall", "_VERSION"}) do
  env[name] = _G[name]
end
env._G = env
env.string, env.table, env.math = copy(string), copy(table), copy(math)
env.utf8, env.coroutine = copy(utf8), copy(coroutine)
env.unpack = unpack
env.array = mark
env.load = function(chunk, name, _, scope)
  if type(chunk) == "string" and #chunk > 1048576 then return nil, "chunk too large" end
  return load(chunk, name, "t", scope or env)
end
env.print = function(...)
  local parts = {}
  for at = 1, select("#", ...) do parts[at] = tostring((select(at, ...))) end
  say(concat(parts, "\t"))
end

-- Modules ------------------------------------------------------------------------------------------------------------

local modules = {
  ["encoding/json"] = module("json", "marshal", "unmarshal"),
  ["encoding/yaml"] = module("yaml", "marshal", "unmarshal"),
  ["encoding/base64"] = module("base64", "encode", "decode", "url_encode", "url_decode"),
  ["encoding/hex"] = module("hex", "encode", "decode"),
  ["encoding/z85"] = module("z85", "encode", "decode"),
  ["crypto/hmac"] = module("hmac", "sign_sha256", "sign_sha1"),
  ["crypto/sha256"] = module("sha256", "digest"),
  ["crypto/md5"] = module("md5", "digest"),
  strings = module("strings", "split", "trim", "replace", "has_prefix", "has_suffix", "contains"),
  path = module("path", "parse", "join", "is_hidden", "default_separator"),
  time = module("time", "now", "since", "add", "format", "format_iso", "parse", "parse_iso", "sleep"),
  uuid = module("uuid", "new"),
  ["net/url"] = module("url", "parse", "build", "escape", "unescape"),
  lakefs = module("lakefs", "create_tag", "diff_refs", "diff_branch", "list_objects", "get_object", "stat_object",
    "update_object_user_metadata"),
}

modules.hook = {fail = function(message) error(setmetatable({message = tostring(message)}, FAILED), 0) end}

local regexp = module("regexp", "match", "quote_meta")
local searches = module("regexp", "check", "find", "find_all", "find_submatch", "find_all_submatch")
regexp.compile = function(pattern)
  searches.check(pattern)
  local made = {pattern = pattern}
  for _, name in ipairs({"find", "find_all", "find_submatch", "find_all_submatch"}) do
    made[name] = function(first, ...)
      if first == made then return searches[name](pattern, ...) end
      return searches[name](pattern, first, ...)
    end
  end
  return made
end
modules.regexp = regexp

local request = from_host("http.request")
modules["net/http"] = {
  request = function(what, body)
    if type(what) ~= "table" then what = {url = what, body = body, method = body and "POST" or "GET"} end
    return request(what.url or "", what.method or "GET", what.headers or {}, what.body or "")
  end,
}

env.require = function(name)
  local found = modules[name]
  if found == nil then
    local names = {}
    for one in pairs(modules) do names[#names + 1] = one end
    table.sort(names)
    error("module '" .. tostring(name) .. "' not found; there are " .. concat(names, ", "), 2)
  end
  return found
end

-- The script ---------------------------------------------------------------------------------------------------------

local function explained(problem)
  if type(problem) == "table" and getmetatable(problem) == FAILED then return {rawget(problem, "message")} end
  local text = tostring(problem)
  if type(problem) == "table" and text:find("^table: ") then text = "error object is a table" end
  local where = traceback(nil, 2):gsub("\n\t%[string \"<python>\"%][^\n]*", ""):gsub("\n\t%[C%][^\n]*", "")
  return {text, where:find("\n") and where}
end

local function run(text, name, action, args, username)
  env.action, env.args, env.username = action, args, username
  local script, problem = load(text, name, "t", env)
  if script == nil then return problem end
  local fine, why = xpcall(script, explained)
  if fine then return nil end
  if type(why) ~= "table" then return tostring(why) end
  if why[2] then say(why[2]) end
  return why[1]
end

return {run = run, mark = mark, marked = marked}
"""
"""A chunk that is called with two functions of Python's, and returns what the process works with."""
