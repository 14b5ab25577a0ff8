-- Promise: one worker at a time; until its commit every claim of this customer returns the same batch.
-- KEYS state, run, mailbox, journal, tracker
-- ARGV offset, customer, lease, most in a batch
-- Answers {'ok', now, state, window, mailbox items, entries} | {'later'} | {'idle'}
local st, run, mb, jr, tr = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local customer = ARGV[2]
local t = now(ARGV[1])

local score = redis.call('ZSCORE', run, customer)
if not score or tonumber(score) > t then return {'later'} end
local s = redis.call('HMGET', st, 'gone', 'bl', 'ln', 'at', 'hold')
local waiting = redis.call('LRANGE', mb, 0, math.max(tonumber(ARGV[4]), tonumber(s[2] or 0)) - 1)
if s[1] or #waiting == 0 then
  redis.call('ZREM', run, customer)
  return {'idle'}
end

local length = tonumber(s[2] or 0)
if length == 0 then
  if s[5] and holder(s[5], t) then return {'later'} end
  length = 1
  local mode, who = string.match(waiting[1], '^%d+ (%a) (.+)$')
  while mode == 't' and waiting[length + 1] do
    local next_mode, next_who = string.match(waiting[length + 1], '^%d+ (%a) (.+)$')
    if next_mode ~= 't' or next_who ~= who then break end
    length = length + 1
  end
end
redis.call('HSET', st, 'ln', tonumber(s[3] or 0) + 1, 'at', tonumber(s[4] or 0) + 1, 'bl', length, 'why', 'lease')
redis.call('ZADD', run, t + tonumber(ARGV[3]), customer)

local items, entries = {}, {}
for i = 1, length do
  items[i] = waiting[i]
  local seq = string.match(waiting[i], '^(%d+)')
  local found = redis.call('XRANGE', jr, seq .. '-0', seq .. '-0')
  entries[i] = found[1] and found[1][2][2] or ''
end
return {'ok', t, turn_needs(st), redis.call('GET', tr) or '', items, entries}
