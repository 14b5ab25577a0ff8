-- Promise: the head of a lane is tried by one worker at a time; a bot's words of an older control are dropped, not sent;
-- a head whose try died is told apart from one that was never tried.
-- KEYS state, journal, events, lanes' run, lane, head, delivery states
-- ARGV offset, customer, lane member, account, lease, whether a repeat is safe (1 or 0), bucket: ms between two, burst
-- Answers {'ok', fence, tries, item, entry, parts taken before} | {'later', ms} | {'idle'} | {'dropped' or 'unknown', seq}
local st, jr, ev, run, lane, head, ds = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local customer, member, account, lease, safe = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6]
local every, burst = tonumber(ARGV[7]), tonumber(ARGV[8])
local t = now(ARGV[1])
local channel = string.match(account, '^[^:]+')

local due = redis.call('ZSCORE', run, member)
if not due then return {'idle'} end
if tonumber(due) > t then return {'later', tonumber(due) - t} end
local item = redis.call('LINDEX', lane, 0)
local s = redis.call('HMGET', st, 'gone', 'hold', 'cf', 'cn')
if not item or s[1] then
  -- The fence outlives an empty lane, so that a try which slept through it is still refused.
  redis.call('ZREM', run, member)
  redis.call('PEXPIRE', head, 86400000)
  return {'idle'}
end
local _, held_until = holder(s[2], t)
if held_until then return {'later', held_until - t} end
-- Behind the letter: parts that were taken before a merge or its undo took the message along.
local seq, author, parts, control = string.match(item, '^(%d+) (%a)(%d*) (%d+) ')
local h = redis.call('HMGET', head, 'phase', 'tat', 'pd')
-- A capital: its try died before a merge took it along.
local tried = h[1] == 'sending' or string.find(author, '%u') ~= nil

local function pass(status, reason)
  redis.call('LPOP', lane)
  redis.call('HDEL', head, 'phase', 'at', 'pd')
  settle_status(st, jr, ev, ds, t, customer, channel, seq, status, reason)
  if redis.call('LLEN', lane) == 0 then
    redis.call('ZREM', run, member)
  else
    redis.call('ZADD', run, t, member)
    hint('o', shard(st), 0)
  end
end

if author == 'b' and tonumber(control) < tonumber(s[3] or s[4] or 0) and not tried then
  pass('failed', 'control_moved')
  return {'dropped', tonumber(seq)}
end
if tried and safe == '0' then
  pass('unknown', 'worker_died')
  return {'unknown', tonumber(seq)}
end
-- GCRA: the theoretical arrival time may run ahead by the burst; later than that, wait for the time at which it fits.
if every > 0 then
  local tat = math.max(tonumber(h[2] or 0), t)
  if tat - t > every * (burst - 1) then
    local wait = tat - every * (burst - 1) - t
    redis.call('ZADD', run, t + wait, member)
    return {'later', wait}
  end
  redis.call('HSET', head, 'tat', tat + every)
end
local fence = redis.call('HINCRBY', head, 'fence', 1)
local tries = redis.call('HINCRBY', head, 'at', 1)
redis.call('HSET', head, 'phase', 'sending')
redis.call('PERSIST', head)
redis.call('ZADD', run, t + lease, member)
local found = redis.call('XRANGE', jr, seq .. '-0', seq .. '-0')
return {'ok', fence, tries, item, found[1] and found[1][2][2] or '', math.max(tonumber(h[3]) or 0, tonumber(parts) or 0)}
