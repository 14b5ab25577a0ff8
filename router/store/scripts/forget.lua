-- Promise: a stale hint goes; one that was set anew meanwhile stays.
-- KEYS identity          ARGV offset, customer          Answers 1 | 0
if redis.call('GET', KEYS[1]) ~= ARGV[2] then return 0 end
return redis.call('DEL', KEYS[1])
