-- Promise: the hint of an identity names another customer, if it named this one or nobody.
-- KEYS hint          ARGV offset, from, to          Answers 1 | 0
local known = redis.call('GET', KEYS[1])
if known and known ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[1], ARGV[3])
return 1
