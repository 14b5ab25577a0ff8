-- Put before every script. Scripts check everything before their first write, because Redis does not roll back.

-- Redis' clock in milliseconds; the offset is 0 outside tests.
local function now(offset)
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000) + tonumber(offset)
end

local function day(t)
  return math.floor(t / 86400000)
end

-- Journal entry: takes the next seq; p is the last seq before it that a customer may see.
local function append(st, jr, t, audience, entry, conversation, first)
  local seq = redis.call('HINCRBY', st, 'n', 1)
  local before = redis.call('HGET', st, 'pv') or '0'
  local fields = {'e', entry, 't', t, 'p', before, 'a', audience, 'c', conversation}
  if first ~= '' then
    fields[#fields + 1] = 'o'
    fields[#fields + 1] = first
  end
  redis.call('XADD', jr, seq .. '-0', unpack(fields))
  if audience == 'c' then redis.call('HSET', st, 'pv', seq) end
  return seq
end

-- Domain event: ids, kinds and numbers, never text.
local function event(ev, kind, customer, conversation, seq, channel)
  redis.call('XADD', ev, 'MAXLEN', 500, '*', 'k', kind, 'c', customer, 'v', conversation, 's', seq, 'ch', channel)
end

-- Hints only wake; a poll is the truth.
local function hint(what, tag, number)
  redis.call('PUBLISH', 'segue:hint', what .. ' ' .. tag .. ' ' .. number)
end

local function shard(key)
  return string.match(key, '^{(%d+)}')
end
