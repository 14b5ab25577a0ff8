-- Promise: no more than the account may send, over all customers. GCRA, see reserve.lua.
-- KEYS limit of the account          ARGV offset, ms between two, burst          Answers 0 | ms to wait
local every, burst = tonumber(ARGV[2]), tonumber(ARGV[3])
local t = now(ARGV[1])
local tat = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), t)
if tat - t > every * (burst - 1) then return math.ceil(tat - every * (burst - 1) - t) end
redis.call('SET', KEYS[1], tat + every, 'PX', math.ceil(every * burst + 1000))
return 0
