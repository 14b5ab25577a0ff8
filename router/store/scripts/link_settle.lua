-- Promise: what became of a claimed code is decided once.
-- KEYS link          ARGV offset, from (states, comma behind each), to          Answers the state that it has now | '' (unknown)
local state = redis.call('HGET', KEYS[1], 's')
if not state then return '' end
if state ~= ARGV[3] and string.find(ARGV[2], state .. ',', 1, true) then
  redis.call('HSET', KEYS[1], 's', ARGV[3])
  return ARGV[3]
end
return state
