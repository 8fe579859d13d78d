"""Sliding windows and leases in Redis, by Redis' own clock: a whole request in one script, all of it or nothing.

The windows are those of `kit/sliding_window.py`: 60 parts, each with its sum and its newest moment. One hash a window:
`n` the sum of all parts, `k` the number of the newest, `s0`…`s60` and `l0`…`l60` of each part. Requests as well as
tokens are kept so, and not as a log: as exact upwards, and a day's window of a million requests is a few kilobytes.
Leases are a sorted set: who holds a place, and until when.
"""

# Both scripts take, for each key, its measure, its amount and its window in microseconds (0: leases).
_WINDOW = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local function opened(key, window)
  local part = math.floor(window / 60)
  local number = math.floor(now / part)
  local seen = redis.call('HMGET', key, 'n', 'k')
  local total, newest = tonumber(seen[1] or 0), tonumber(seen[2] or number)
  if number - newest > 60 or newest - number > 60 then
    redis.call('DEL', key)
    total, newest = 0, number
  elseif number > newest then
    local gone, sums = {}, {}
    for each = newest + 1, number do gone[#gone + 1] = 's' .. (each % 61) end
    sums = redis.call('HMGET', key, unpack(gone))
    for place = 1, #gone do total = total - tonumber(sums[place] or 0) end
    redis.call('HDEL', key, unpack(gone))
    newest = number
  end
  local oldest = (newest + 1) % 61
  local edge = redis.call('HMGET', key, 's' .. oldest, 'l' .. oldest)
  if edge[1] and tonumber(edge[2]) <= now - window then
    total = total - tonumber(edge[1])
    redis.call('HDEL', key, 's' .. oldest)
  end
  return total, newest
end
local function kept(key, window, total, newest)
  redis.call('HSET', key, 'n', total, 'k', newest)
  redis.call('PEXPIRE', key, math.ceil(window / 1000) + 60000)
end
local function added(key, window, total, newest, amount)
  local place = newest % 61
  redis.call('HINCRBY', key, 's' .. place, amount)
  redis.call('HSET', key, 'l' .. place, now)
  kept(key, window, total + amount, newest)
end
-- how long until `over` less is in the window; and how long until all that is in it now has left
local function waits(key, window, newest, over)
  local fields = {}
  for step = 1, 61 do
    local place = (newest + step) % 61
    fields[#fields + 1] = 's' .. place
    fields[#fields + 1] = 'l' .. place
  end
  local parts = redis.call('HMGET', key, unpack(fields))
  local wait, last = 0, 0
  for step = 1, 61 do
    local sum = tonumber(parts[2 * step - 1] or 0)
    if sum > 0 then
      last = tonumber(parts[2 * step]) + window - now
      if over > 0 then over, wait = over - sum, last end
    end
  end
  return wait, last
end
"""

TAKE = (
    _WINDOW
    + """
-- ARGV: 1 to take or 0 to look, tokens, the lease and how long it lasts in microseconds, then the keys' three each
local tokens = tonumber(ARGV[2])
local refused, longest, states, answer = -1, 0, {}, {}
for place, key in ipairs(KEYS) do
  local measure, amount, window = ARGV[3 * place + 2], tonumber(ARGV[3 * place + 3]), tonumber(ARGV[3 * place + 4])
  if window > 0 then
    local total, newest = opened(key, window)
    local cost = measure == 'tokens' and tokens or 1
    states[place] = {total, newest, cost}
    if ARGV[1] == '1' and total + cost > amount then
      local wait = waits(key, window, newest, total + cost - amount)
      if wait >= longest then refused, longest = place - 1, wait end
    end
  else
    redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
    local held = redis.call('ZCARD', key)
    states[place] = {held, 0, 1}
    if ARGV[1] == '1' and held >= amount and refused < 0 then refused = place - 1 end
  end
end
local is_taken = ARGV[1] == '1' and refused < 0
answer[1], answer[2], answer[3] = refused, longest, now
for place, key in ipairs(KEYS) do
  local window, state = tonumber(ARGV[3 * place + 4]), states[place]
  local reset = 0
  if is_taken and window > 0 then
    added(key, window, state[1], state[2], state[3])
    reset = window
  elseif is_taken then
    redis.call('ZADD', key, now + tonumber(ARGV[4]), ARGV[3])
    redis.call('PEXPIRE', key, math.ceil(tonumber(ARGV[4]) / 1000) + 60000)
  elseif window > 0 then
    kept(key, window, state[1], state[2])
    local _, last = waits(key, window, state[2], 0)
    reset = last
  end
  answer[#answer + 1] = state[1] + (is_taken and state[3] or 0)
  answer[#answer + 1] = reset
end
return answer
"""
)

GIVE_BACK = (
    _WINDOW
    + """
-- ARGV: when it was taken, tokens taken, tokens used, the lease and how long it lasts, then the keys' three each
local more = tonumber(ARGV[3]) - tonumber(ARGV[2])
for place, key in ipairs(KEYS) do
  local measure, window = ARGV[3 * place + 3], tonumber(ARGV[3 * place + 5])
  if window == 0 then
    redis.call('ZREM', key, ARGV[4])
  elseif measure == 'tokens' and more ~= 0 then
    local total, newest = opened(key, window)
    if more > 0 then
      added(key, window, total, newest, more)
    else
      local part = math.floor(tonumber(ARGV[1]) / math.floor(window / 60))
      local field = 's' .. (part % 61)
      local back = 0
      if newest - part <= 60 and newest >= part then
        back = math.min(-more, tonumber(redis.call('HGET', key, field) or 0))
      end
      if back > 0 then redis.call('HINCRBY', key, field, -back) end
      kept(key, window, total - back, newest)
    end
  end
end
return 1
"""
)

TELL = (
    _WINDOW
    + """
-- Adds what a worker has counted, to one window, where it belongs in it. ARGV: the key's three, then for each part how
-- much and how many microseconds ago.
local window = tonumber(ARGV[3])
local total, newest = opened(KEYS[1], window)
local length = math.floor(window / 60)
for place = 4, #ARGV, 2 do
  local amount, at = tonumber(ARGV[place]), now - tonumber(ARGV[place + 1])
  local number = math.floor(at / length)
  if at > now - window and newest - number <= 60 then
    local part = number % 61
    redis.call('HINCRBY', KEYS[1], 's' .. part, amount)
    if at > tonumber(redis.call('HGET', KEYS[1], 'l' .. part) or 0) then
      redis.call('HSET', KEYS[1], 'l' .. part, at)
    end
    total = total + amount
  end
end
kept(KEYS[1], window, total, newest)
return 1
"""
)

MARK = """
-- A word that stands as long as Redis has lost nothing: KEYS[1] where, ARGV[1] what it becomes where there is none.
local seen = redis.call('GET', KEYS[1])
if not seen then
  seen = ARGV[1]
  redis.call('SET', KEYS[1], seen)
end
return seen
"""

HOLD = """
-- Leases that are still held, again: KEYS[1] their set, ARGV[1] how long they last in microseconds, then the leases.
local time = redis.call('TIME')
local ends = time[1] * 1000000 + time[2] + tonumber(ARGV[1])
for place = 2, #ARGV do redis.call('ZADD', KEYS[1], ends, ARGV[place]) end
redis.call('PEXPIRE', KEYS[1], math.ceil(tonumber(ARGV[1]) / 1000) + 60000)
return 1
"""
