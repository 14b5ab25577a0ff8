-- Promise: of all generations of a visitor's handle one is current and, for a moment, so is the one before; what was
-- passed over or signed out stays refused. A visitor who has no customer yet leaves no key behind, but by signing out.
-- KEYS state, mark of a sign-out, identities
-- ARGV offset, customer, visitor, generation, use | issue | out, grace, life of the mark, identity ('' any)
-- Answers 'ok' | 'passed' | 'out' | 'not_mine' | where to
local st, mark, field = KEYS[1], KEYS[2], 'hg:' .. ARGV[3]
local generation, what, t = tonumber(ARGV[4]), ARGV[5], now(ARGV[1])
local s = redis.call('HMGET', st, 'jid', 'gone', field)
local lives = s[1] and not s[2]
if elsewhere(s[2]) then return s[2] end
if lives and ARGV[8] ~= '' and redis.call('SISMEMBER', KEYS[3], ARGV[8]) == 0 then return 'not_mine' end
if what == 'out' then
  if lives then
    redis.call('HSET', st, field, 'out')
    -- Link codes that still stand on the screen are dead.
    redis.call('HINCRBY', st, 'lk', 1)
  else
    redis.call('SET', mark, 1, 'PX', ARGV[7])
  end
  return 'ok'
end
if s[3] == 'out' then return 'out' end
if redis.call('EXISTS', mark) == 1 then
  if lives then redis.call('HSET', st, field, 'out') end
  return 'out'
end
if not lives then return 'ok' end
-- "<current generation> <when its follower alone is good, 0 while there is none>"
local current, ends = string.match(s[3] or '0 0', '^(%d+) (%d+)$')
current, ends = tonumber(current), tonumber(ends)
if generation < current or (generation == current and ends > 0 and t > ends) then return 'passed' end
local before = current .. ' ' .. ends
if generation > current then current, ends = generation, 0 end
if what == 'issue' and ends == 0 then ends = t + tonumber(ARGV[6]) end
local after = current .. ' ' .. ends
if after ~= before then redis.call('HSET', st, field, after) end
return 'ok'
