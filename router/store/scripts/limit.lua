-- Promise: no more than so much of a thing, over all processes and customers. GCRA, see reserve.lua.
-- KEYS limit          ARGV offset, ms between two, burst, how many now (default 1; 0 looks whether one would fit)
-- Answers 0 | ms to wait
local every, burst, cost = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4] or 1)
local t = now(ARGV[1])
local tat = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), t)
local latest = every * (burst - math.max(cost, 1))
if tat - t > latest then return math.ceil(tat - latest - t) end
if cost > 0 then
  redis.call('SET', KEYS[1], string.format('%.3f', tat + every * cost), 'PX', math.ceil(every * burst + 1000))
end
return 0
