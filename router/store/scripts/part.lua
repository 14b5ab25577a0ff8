-- Promise: an identity leaves its customer for good; what it sends next begins anew. The last one stays: nobody would be left.
-- KEYS state, identities, journal, events          ARGV offset, customer, identity, entry, channel          Answers 1 | 0 (not there, or the last) | where to
local st, id = KEYS[1], KEYS[2]
local s = redis.call('HMGET', st, 'gone', 'cid', 'n', 'pv', 'via', 'to')
if s[1] then return elsewhere(s[1]) or 0 end
if not s[2] or redis.call('SISMEMBER', id, ARGV[3]) == 0 or redis.call('SCARD', id) < 2 then return 0 end
redis.call('SREM', id, ARGV[3])
local journal = journal_of(KEYS[3], now(ARGV[1]), s[3], s[4])
local seq = append(journal, 'a', ARGV[4], s[2], '')
redis.call('HSET', st, 'n', journal.n, 'pv', journal.pv)
if s[5] == ARGV[3] then redis.call('HDEL', st, 'via') end
if s[6] == ARGV[3] then redis.call('HDEL', st, 'to') end
redis.call('HDEL', st, 'vf:' .. ARGV[3], 'nt:' .. ARGV[3], 'un:' .. ARGV[3])
-- Codes that were made before are dead: who holds one may be the one who was sent away.
redis.call('HINCRBY', st, 'lk', 1)
event(KEYS[4], 'identity.unlinked', ARGV[2], s[2], seq, ARGV[5])
hint('e', shard(st), seq)
return 1
