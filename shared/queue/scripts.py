"""The Lua scripts that change the queue: each is one step for everybody else, and one round trip.

A script that fails half way is not rolled back. So each first reads the keys that it will write: a key of a wrong
type stops it before it has changed anything. Times are milliseconds by Redis' own clock.

The books: a command is accepted when it is submitted, and ends as done or dead. What somebody pushed by other means is
accepted when a worker first has it in hand, so that accepted = waiting + processing + done + dead holds for it too.
"""

from datetime import timedelta

from shared.queue.limits import ALIVE_FOR, MAX_HELD

_SHARED_FIGURES = f"local ALIVE_FOR, MAX_HELD = {ALIVE_FOR // timedelta(milliseconds=1)}, {MAX_HELD}"
_OPENING = (
    _SHARED_FIGURES
    + """
local FORGET_AFTER, KEEP_FACTS, MAX_BYTES, MAX_DEAD = 60000, 120000, 4194304, 1000
local commands, workers, attempts, books, dead, facts = unpack(KEYS)
local processing, claim = ARGV[1], ARGV[2]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function check_types()
  redis.call('LLEN', commands)
  redis.call('LLEN', dead)
  redis.call('HLEN', attempts)
  redis.call('HLEN', books)
  redis.call('ZCARD', workers)
end

local function admit(payload)
  local name = redis.sha1hex(payload)
  if redis.call('HSETNX', attempts, name, 0) == 1 then redis.call('HINCRBY', books, 'accepted', 1) end
  return name
end

local function put_back(payload)
  redis.call('HINCRBY', attempts, admit(payload), 1)
  redis.call('LPUSH', commands, payload)
end

local function put_all_back(own)
  local held = redis.call('LRANGE', own, 0, -1)
  for i = #held, 1, -1 do put_back(held[i]) end
  redis.call('DEL', own)
  return #held
end

local function announce(fact)
  redis.call('XADD', facts, 'MINID', '~', string.format('%.0f', now - KEEP_FACTS), '*', 'f', fact)
end
"""
)

SUBMIT = (
    _OPENING
    + """
-- ARGV[3]: wait in ms; then per command: id, the field that lists what it won or nothing, its JSON from after the
-- brace, number of its claims, their names
check_types()
if redis.call('ZCOUNT', workers, '(' .. now, '+inf') == 0 then return false end
local wait = tonumber(ARGV[3])
local lost = {}
local at = 4
while ARGV[at] do
  local id, list, rest, count = ARGV[at], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3])
  local won = {}
  for i = at + 4, at + 3 + count do
    local key = claim .. ARGV[i]
    if redis.call('SET', key, id, 'NX', 'PX', wait) then
      won[#won + 1] = ARGV[i]
    else
      lost[#lost + 1] = ARGV[i]
      lost[#lost + 1] = redis.call('GET', key)
      lost[#lost + 1] = redis.call('PTTL', key)
    end
  end
  if #won > 0 then
    -- joined as text: cjson would pass the ids through floats
    if list ~= '' then list = '"' .. list .. '":[' .. table.concat(won, ',') .. '],' end
    local payload = '{' .. list .. '"deadline_ms":' .. string.format('%.0f', now + wait) .. ',' .. rest
    redis.call('RPUSH', commands, payload)
    admit(payload)
  end
  at = at + 4 + count
end
return lost
"""
)

TAKE = (
    _OPENING
    + """
-- ARGV[3]: worker. Answers {now, others at work, payloads, how often each came back}
check_types()
local worker = ARGV[3]
local own = processing .. worker
redis.call('ZADD', workers, now + ALIVE_FOR, worker)
local held = redis.call('LRANGE', own, 0, -1)
local bytes = 0
for _, payload in ipairs(held) do bytes = bytes + #payload end
while #held < MAX_HELD and bytes < MAX_BYTES do
  local payload = redis.call('LMOVE', commands, own, 'LEFT', 'RIGHT')
  if not payload then break end
  held[#held + 1] = payload
  bytes = bytes + #payload
end
local returns = {}
for i, payload in ipairs(held) do
  returns[i] = tonumber(redis.call('HGET', attempts, admit(payload)))
end
local others = 0
for _, other in ipairs(redis.call('ZRANGEBYSCORE', workers, '(' .. now, '+inf')) do
  if other ~= worker and redis.call('EXISTS', processing .. other) == 1 then
    others = 1
    break
  end
end
return {now, others, held, returns}
"""
)

FINISH = (
    _OPENING
    + """
-- ARGV[3]: worker; ARGV[4]: number of facts; per fact: id of the command without whose end it is not announced, or
-- nothing, and the fact; then per delivery: payload, id of its command, its dead letter or nothing, number of its
-- claims, their names
check_types()
local own = processing .. ARGV[3]
redis.call('LLEN', own)
redis.call('XLEN', facts)
local last_fact = 4 + 2 * tonumber(ARGV[4])
local ended, heard = {}, {[''] = true}
local at = last_fact + 1
while ARGV[at] do
  if redis.call('LREM', own, 1, ARGV[at]) == 1 then
    ended[#ended + 1] = at
    heard[ARGV[at + 1]] = true
  end
  at = at + 4 + tonumber(ARGV[at + 3])
end
for i = 5, last_fact, 2 do
  if heard[ARGV[i]] then announce(ARGV[i + 1]) end
end
for _, at in ipairs(ended) do
  local payload, id, letter, claims = ARGV[at], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3])
  redis.call('HDEL', attempts, admit(payload))
  if letter == '' then
    redis.call('HINCRBY', books, 'done', 1)
  else
    redis.call('HINCRBY', books, 'dead', 1)
    redis.call('LPUSH', dead, letter)
    redis.call('LTRIM', dead, 0, MAX_DEAD - 1)
  end
  for i = at + 4, at + 3 + claims do
    local key = claim .. ARGV[i]
    if redis.call('GET', key) == id then redis.call('DEL', key) end
  end
end
"""
)

ANNOUNCE = (
    _OPENING
    + """
-- ARGV[3..]: facts
for i = 3, #ARGV do announce(ARGV[i]) end
"""
)

GIVE_BACK = (
    _OPENING
    + """
-- ARGV[3]: worker; then payloads, oldest first
check_types()
for i = #ARGV, 4, -1 do
  if redis.call('LREM', processing .. ARGV[3], 1, ARGV[i]) == 1 then put_back(ARGV[i]) end
end
"""
)

HEARTBEAT = (
    _OPENING
    + """
-- ARGV[3]: worker
redis.call('ZADD', workers, now + ALIVE_FOR, ARGV[3])
"""
)

RETIRE = (
    _OPENING
    + """
-- ARGV[3]: worker. It stays known as dead for a while: a command that its last BLMOVE still moves can be rescued
check_types()
put_all_back(processing .. ARGV[3])
redis.call('ZADD', workers, now, ARGV[3])
"""
)

RESCUE = (
    _OPENING
    + """
check_types()
local count = 0
for _, worker in ipairs(redis.call('ZRANGEBYSCORE', workers, '-inf', now)) do
  count = count + put_all_back(processing .. worker)
end
redis.call('ZREMRANGEBYSCORE', workers, '-inf', now - FORGET_AFTER)
return count
"""
)

DEPTH = (
    _OPENING
    + """
-- Answers {accepted, waiting, processing, done, dead, workers}
local held = 0
for _, worker in ipairs(redis.call('ZRANGE', workers, 0, -1)) do
  held = held + redis.call('LLEN', processing .. worker)
end
local counted = redis.call('HMGET', books, 'accepted', 'done', 'dead')
return {
  tonumber(counted[1] or 0), redis.call('LLEN', commands), held, tonumber(counted[2] or 0), tonumber(counted[3] or 0),
  redis.call('ZCOUNT', workers, '(' .. now, '+inf')
}
"""
)
