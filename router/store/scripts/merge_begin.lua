-- Promise: the intent of a merge is written down once; a customer takes over one other at a time. Whoever has never
-- written is made known by it.
-- KEYS state, identities, merges, merges under way
-- ARGV offset, customer, id, record, ms until a sweep looks, new journal id, new conversation id, identity of theirs
-- Answers {'ok', record} | {'gone', why} | {'busy'}
local st, id, mg, under_way = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local merge = ARGV[3]
local t = now(ARGV[1])
local known = redis.call('HGET', mg, merge)
if known then return {'ok', known} end
local s = redis.call('HMGET', st, 'gone', 'jid', 'mgo', 'hold', 'n', 'ctl', 'cn', 'pv')
if s[1] then return {'gone', s[1]} end
if s[3] or holder(s[4], t) then return {'busy'} end

if not s[2] then
  redis.call('HSET', st, 'fmt', 1, 'jid', ARGV[6], 'cid', ARGV[7], 'open', 1, 'ctl', s[6] or 'bot', 'cn', s[7] or 0, 'ln', 0, 'tn', 0, 'bl', 0,
    'at', 0, 'loc', '', 'via', ARGV[8], 'n', s[5] or 0, 'pv', s[8] or 0)
  redis.call('SADD', id, ARGV[8])
end
local record = cjson.decode(ARGV[4])
record.at, record.base = t, tonumber(s[5] or 0)
local written = cjson.encode(record)
redis.call('HSET', mg, merge, written)
redis.call('HSET', st, 'mgo', merge)
redis.call('ZADD', under_way, t + tonumber(ARGV[5]), ARGV[2] .. ' ' .. merge)
return {'ok', written}
