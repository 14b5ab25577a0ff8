-- Promise: what was read stays read; an older mark changes nothing.
-- KEYS state, journal, events          ARGV offset, customer, seq, channel, entry          Answers seq of the entry | 0 | where to
local s = redis.call('HMGET', KEYS[1], 'gone', 'rd', 'pv', 'cid', 'n')
local upto = math.min(tonumber(ARGV[3]), tonumber(s[3] or 0))
if s[1] then return elsewhere(s[1]) or 0 end
if upto <= tonumber(s[2] or 0) then return 0 end
local journal = journal_of(KEYS[2], now(ARGV[1]), s[5], s[3])
local seq = append(journal, 'c', ARGV[5], s[4], '')
redis.call('HSET', KEYS[1], 'rd', upto, 'n', journal.n, 'pv', journal.pv)
event(KEYS[3], 'message.read', ARGV[2], s[4], upto, ARGV[4])
hint('e', shard(KEYS[1]), seq)
return seq
