-- Promise: the undo of a merge is begun once, of the last one first, and not after its time.
-- KEYS state, merges, merges under way          ARGV offset, customer, merge, ms until a sweep looks, life of an undo,
--      whether somebody disputes it (1 or 0)
-- Answers {'ok', record} | {'gone', why} | {'busy'} | {'later', merge} | {'late'} | {'none'}
local st, mg = KEYS[1], KEYS[2]
local customer, merge, t = ARGV[2], ARGV[3], now(ARGV[1])
local written = redis.call('HGET', mg, merge)
if not written then return {'none'} end
local record = cjson.decode(written)
if record.phase == 'undoing' or record.phase == 'split' or record.phase == 'undone' then return {'ok', written} end
local s = redis.call('HMGET', st, 'gone', 'mgo', 'hold')
if s[1] then return {'gone', s[1]} end
if record.survivor ~= customer or record.phase == 'void' then return {'none'} end
if s[2] or record.phase ~= 'done' or holder(s[3], t) then return {'busy'} end
if t > record.at + tonumber(ARGV[5]) then return {'late'} end
local all = redis.call('HVALS', mg)
for _, one in ipairs(all) do
  local later = cjson.decode(one)
  if later.survivor == customer and later.phase == 'done' and later.seq > record.seq then return {'later', later.id} end
end
record.phase, record.undo, record.disputed = 'undoing', t, ARGV[6] == '1'
written = cjson.encode(record)
redis.call('HSET', mg, merge, written)
redis.call('HSET', st, 'mgo', merge)
redis.call('ZADD', KEYS[3], t + tonumber(ARGV[4]), customer .. ' ' .. merge)
return {'ok', written}
