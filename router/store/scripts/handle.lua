-- Promise: a generation of a visitor's handle or token is good or not, as `standing` of _shared.lua says.
-- KEYS state, mark of a sign-out, identities
-- ARGV offset, customer, visitor, generation, use | issue | out, grace, life of the mark, identity ('' any)
-- Answers 'ok' | 'passed' | 'out' | 'not_mine' | where to
local st, mark, field = KEYS[1], KEYS[2], 'hg:' .. ARGV[3]
local what, t = ARGV[5], now(ARGV[1])
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
return standing(st, mark, ARGV[3], tonumber(ARGV[4]), lives, s[3], t, what == 'issue' and tonumber(ARGV[6]) or nil)
