-- Promise: who was frozen for a merge that cannot be is as before.
-- KEYS state, mailbox, run, lanes' run, then the lanes …          ARGV offset, customer, merge, then the lane members …
-- Answers 1 | 0
local st, run, lanes = KEYS[1], KEYS[3], KEYS[4]
if redis.call('HGET', st, 'gone') ~= 'moving ' .. ARGV[3] then return 0 end
local t = now(ARGV[1])
redis.call('HDEL', st, 'gone')
if redis.call('LLEN', KEYS[2]) > 0 then
  redis.call('ZADD', run, t, ARGV[2])
  hint('r', shard(st), 0, ARGV[2])
end
for i = 5, #KEYS do
  if redis.call('LLEN', KEYS[i]) > 0 then redis.call('ZADD', lanes, t, ARGV[i - 1]) end
end
return 1
