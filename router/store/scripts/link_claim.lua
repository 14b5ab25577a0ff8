-- Promise: a link code is claimed by one message; the same message gets the same answer, whatever happened meanwhile.
-- KEYS link          ARGV offset, message, customer, identity
-- Answers {'ok', field, value …} | {'used'} | {'expired'} | {'unknown'}
local link = KEYS[1]
local s = redis.call('HMGET', link, 's', 'exp', 'm')
if not s[1] then return {'unknown'} end
if s[1] == 'open' then
  if now(ARGV[1]) > tonumber(s[2]) then return {'expired'} end
  redis.call('HSET', link, 's', 'claimed', 'm', ARGV[2], 'c', ARGV[3], 'i', ARGV[4])
elseif s[3] ~= ARGV[2] then
  return {'used'}
end
local answer = redis.call('HGETALL', link)
table.insert(answer, 1, 'ok')
return answer
