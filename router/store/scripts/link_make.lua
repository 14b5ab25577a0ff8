-- Promise: a link code is kept by its hash alone, for a day: ten minutes to be used, the rest to be told apart from nonsense.
-- KEYS link          ARGV offset, ms until it expires, ms until it is forgotten, field, value …          Answers when it expires | 0 (there is one)
local link = KEYS[1]
if redis.call('EXISTS', link) == 1 then return 0 end
local expires = now(ARGV[1]) + tonumber(ARGV[2])
redis.call('HSET', link, 's', 'open', 'exp', string.format('%d', expires), unpack(ARGV, 4))
redis.call('PEXPIRE', link, ARGV[3])
return expires
