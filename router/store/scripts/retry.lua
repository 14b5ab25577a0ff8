-- Promise: the batch waits and keeps its place; this lease can commit no more. One that thaws is no batch any more: what
-- waits for the turn to end, a merge, need not wait for it.
-- KEYS state, run          ARGV offset, customer, lease number, delay, whether this claim counts as an attempt (1 or 0),
--      whether it thaws (1 or 0)
-- Answers 1 | 0
local st, run = KEYS[1], KEYS[2]
if redis.call('HGET', st, 'ln') ~= ARGV[3] or redis.call('HGET', st, 'why') ~= 'lease' then return 0 end
redis.call('HINCRBY', st, 'ln', 1)
if ARGV[5] == '0' then redis.call('HINCRBY', st, 'at', -1) end
redis.call('HSET', st, 'why', 'backoff')
if ARGV[6] == '1' then redis.call('HSET', st, 'bl', 0) end
redis.call('ZADD', run, now(ARGV[1]) + tonumber(ARGV[4]), ARGV[2])
hint('r', shard(st), ARGV[4], ARGV[2])
return 1
