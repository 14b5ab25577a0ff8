-- Promise: events go only when everybody who registered has had them; while nobody has, the last ones of a shard stay.
-- KEYS events, cursors          ARGV offset, most while nobody is registered          Answers how many went
local done = redis.call('HVALS', KEYS[2])
if #done == 0 then return redis.call('XTRIM', KEYS[1], 'MAXLEN', ARGV[2]) end
local function parts(id)
  local ms, n = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(n)
end
local slowest = done[1]
for i = 2, #done do
  local ms, n = parts(done[i])
  local least_ms, least_n = parts(slowest)
  if ms < least_ms or (ms == least_ms and n < least_n) then slowest = done[i] end
end
local ms, n = parts(slowest)
return redis.call('XTRIM', KEYS[1], 'MINID', ms .. '-' .. string.format('%d', n + 1))
