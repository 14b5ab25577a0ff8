-- Promise: who has never written is made known, so that the first message finds control as it was set before.
-- KEYS state, identities          ARGV offset, customer, identity          Answers 1 | 0 (was known) | where to
local s = redis.call('HMGET', KEYS[1], 'gone', 'ctl')
if s[1] then return elsewhere(s[1]) or 0 end
if s[2] then return 0 end
redis.call('HSET', KEYS[1], 'fmt', 1, 'ctl', 'bot', 'cn', 0)
redis.call('SADD', KEYS[2], ARGV[3])
return 1
