-- Promise: a customer is quiet for a moment: what runs may end, nothing begins. It ends by itself if nobody renews it.
-- KEYS state, merges          ARGV offset, customer, merge, life
-- Answers {'held', messages in the batch under way} | {'frozen'} | {'gone', why} | {'busy'} | {'over'}
local st = KEYS[1]
local merge, t = ARGV[3], now(ARGV[1])
local s = redis.call('HMGET', st, 'gone', 'hold', 'mgo', 'bl')
if s[1] == 'moving ' .. merge then return {'frozen'} end
if s[1] then return {'gone', s[1]} end
if s[3] and s[3] ~= merge then return {'busy'} end
if not s[3] and redis.call('HEXISTS', KEYS[2], merge) == 1 then return {'over'} end
local other = holder(s[2], t)
if other and other ~= merge then return {'busy'} end
redis.call('HSET', st, 'hold', merge .. ' ' .. t + tonumber(ARGV[4]))
return {'held', tonumber(s[4] or 0)}
