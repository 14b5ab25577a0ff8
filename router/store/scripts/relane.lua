-- Promise: a message that could not be written on one channel goes to another, once.
-- KEYS state, seen, journal, events, delivery states, lanes' run, lane
-- ARGV offset, customer, name, seq, entry that says why, lane member, identity ('' when nobody can be written to), channel
-- Answers 1 | 0 (done before, control has moved on, or nobody is there) | where to
local st, dd, ds = KEYS[1], KEYS[2], KEYS[5]
local s = redis.call('HMGET', st, 'gone', 'cid', 'cn', 'n', 'pv')
if s[1] then return elsewhere(s[1]) or 0 end
if not s[2] or redis.call('ZSCORE', dd, ARGV[3]) then return 0 end
local t = now(ARGV[1])
local journal = journal_of(KEYS[3], t, s[4], s[5])
local seq = append(journal, 'a', ARGV[5], s[2], '')
redis.call('HSET', st, 'n', journal.n, 'pv', journal.pv)
redis.call('ZADD', dd, seq, ARGV[3])
event(KEYS[4], ARGV[7] == '' and 'reply.held' or 'reply.rerouted', ARGV[2], s[2], tonumber(ARGV[4]), ARGV[8])
if ARGV[7] ~= '' then
  redis.call('RPUSH', KEYS[7], ARGV[4] .. ' s ' .. s[3] .. ' ' .. ARGV[7])
  redis.call('HSET', ds, ARGV[4], 'pending')
  if redis.call('ZADD', KEYS[6], 'NX', t, ARGV[6]) == 1 then hint('o', shard(st), 0) end
end
hint('e', shard(st), seq)
return 1
