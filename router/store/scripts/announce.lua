-- Promise: a sentence of ours reaches a customer outside a turn, once by its name.
-- KEYS state, seen, journal, events, buttons, delivery states, lanes' run, lane
-- ARGV offset, customer, name, channel, entry, lane member, identity ('' when the channel is live), then id, JSON of each button
-- Answers seq | 0 (said before, or nobody is there) | where to
local st, dd, bt, ds = KEYS[1], KEYS[2], KEYS[5], KEYS[6]
local s = redis.call('HMGET', st, 'gone', 'cid', 'cn', 'n', 'pv')
if s[1] then return elsewhere(s[1]) or 0 end
if not s[2] or redis.call('ZSCORE', dd, ARGV[3]) then return 0 end
local t = now(ARGV[1])
local journal = journal_of(KEYS[3], t, s[4], s[5])
local seq = append(journal, 'c', ARGV[5], s[2], '')
redis.call('HSET', st, 'n', journal.n, 'pv', journal.pv)
redis.call('ZADD', dd, seq, ARGV[3])
for i = 8, #ARGV, 2 do redis.call('HSET', bt, ARGV[i], seq .. ' ' .. ARGV[i + 1]) end
if #ARGV > 7 then redis.call('PEXPIRE', bt, 2592000000) end
event(KEYS[4], 'message.created', ARGV[2], s[2], seq, ARGV[4])
if ARGV[7] ~= '' then
  redis.call('RPUSH', KEYS[8], seq .. ' s ' .. s[3] .. ' ' .. ARGV[7])
  redis.call('HSET', ds, seq, 'pending')
  if redis.call('ZADD', KEYS[7], 'NX', t, ARGV[6]) == 1 then hint('o', shard(st), 0) end
end
hint('e', shard(st), seq)
return seq
