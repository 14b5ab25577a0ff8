-- Promise: a merge or its undo is over, once.
-- KEYS state, merges, merges under way, events          ARGV offset, customer, merge, phase before, phase, kind of event ('' none)
-- Answers {'ok', record} | {'no'}
local st, mg = KEYS[1], KEYS[2]
local customer, merge = ARGV[2], ARGV[3]
local written = redis.call('HGET', mg, merge)
if not written then return {'no'} end
local record = cjson.decode(written)
if record.phase ~= ARGV[5] then
  if record.phase ~= ARGV[4] then return {'no'} end
  record.phase = ARGV[5]
  written = cjson.encode(record)
  redis.call('HSET', mg, merge, written)
  if ARGV[6] ~= '' then
    event(KEYS[4], ARGV[6], customer, redis.call('HGET', st, 'cid') or '', record.seq or 0, '')
    hint('e', shard(st), 0)
  end
end
local s = redis.call('HMGET', st, 'mgo', 'hold')
if s[1] == merge then redis.call('HDEL', st, 'mgo') end
if holder(s[2], 0) == merge then redis.call('HDEL', st, 'hold') end
redis.call('ZREM', KEYS[3], customer .. ' ' .. merge)
return {'ok', written}
