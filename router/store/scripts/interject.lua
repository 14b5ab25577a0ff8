-- Promise: "um momento" is said at most once in a turn, and only by the worker that holds the lease.
-- KEYS state, journal, events          ARGV offset, customer, lease number, turn number, channel, entry          Answers seq | 0
local s = redis.call('HMGET', KEYS[1], 'gone', 'ln', 'tn', 'im', 'cid', 'why')
if s[1] or s[2] ~= ARGV[3] or s[3] ~= ARGV[4] or s[4] == ARGV[4] or s[6] ~= 'lease' then return 0 end
redis.call('HSET', KEYS[1], 'im', ARGV[4])
local seq = append(KEYS[1], KEYS[2], now(ARGV[1]), 'c', ARGV[6], s[5], '')
event(KEYS[3], 'message.created', ARGV[2], s[5], seq, ARGV[5])
hint('e', shard(KEYS[1]), seq)
return seq
