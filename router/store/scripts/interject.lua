-- Promise: "um momento" is said at most once in a turn, and only by the worker that holds the lease.
-- KEYS state, journal, events, delivery states, lanes' run, lane
-- ARGV offset, customer, lease number, turn number, channel, entry, lane member, identity ('' when the channel is live)
-- Answers seq | 0
local st, ds = KEYS[1], KEYS[4]
local s = redis.call('HMGET', st, 'gone', 'ln', 'tn', 'im', 'cid', 'why', 'cn', 'n', 'pv')
if s[1] or s[2] ~= ARGV[3] or s[3] ~= ARGV[4] or s[4] == ARGV[4] or s[6] ~= 'lease' then return 0 end
local t = now(ARGV[1])
local journal = journal_of(KEYS[2], t, s[8], s[9])
local seq = append(journal, 'c', ARGV[6], s[5], '')
redis.call('HSET', st, 'im', ARGV[4], 'n', journal.n, 'pv', journal.pv)
event(KEYS[3], 'message.created', ARGV[2], s[5], seq, ARGV[5])
if ARGV[8] ~= '' then
  redis.call('RPUSH', KEYS[6], seq .. ' s ' .. s[7] .. ' ' .. ARGV[8])
  redis.call('HSET', ds, seq, 'pending')
  if redis.call('ZADD', KEYS[5], 'NX', t, ARGV[7]) == 1 then hint('o', shard(st), 0) end
end
hint('e', shard(st), seq)
return seq
