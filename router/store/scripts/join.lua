-- Promise: an identity becomes a member of a customer who is there, and of none who has another one of its family:
-- two signed people are never one customer by this.
-- KEYS state, identities          ARGV offset, customer, identity, family (how such identities begin)
-- Answers 'joined' | 'empty' | 'taken' | where to
local s = redis.call('HMGET', KEYS[1], 'jid', 'gone')
if elsewhere(s[2]) then return s[2] end
if not s[1] or s[2] then return 'empty' end
for _, member in ipairs(redis.call('SMEMBERS', KEYS[2])) do
  if member ~= ARGV[3] and string.sub(member, 1, #ARGV[4]) == ARGV[4] then return 'taken' end
end
redis.call('SADD', KEYS[2], ARGV[3])
return 'joined'
