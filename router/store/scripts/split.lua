-- Promise: the identities of who was taken over leave, with what they had waiting; control and the live dialogue stay.
-- Of a merge that was disputed the dialogue of who leaves does not stay: what rested comes back.
-- KEYS state, identities, journal, mailbox, run, events, merges, lanes' run, resting dialogue, tracker,
--      then lane and head of each account …
-- ARGV offset, customer, merge, entry, fields of a dialogue joined by spaces, then the lane members …
-- Answers {'ok', record} | {'gone', why} | {'busy'} | {'none'}
local st, id, mb, run, ev, mg, lanes = KEYS[1], KEYS[2], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local customer, merge, t = ARGV[2], ARGV[3], now(ARGV[1])
local written = redis.call('HGET', mg, merge)
if not written then return {'none'} end
local record = cjson.decode(written)
if record.phase ~= 'undoing' then return {'ok', written} end
local s = redis.call('HMGET', st, 'gone', 'hold', 'bl', 'cid', 'n', 'pv', 'via', 'cf', 'cn', 'to', 'lt')
if s[1] then return {'gone', s[1]} end
if holder(s[2], t) ~= merge or tonumber(s[3] or 0) > 0 then return {'busy'} end
local floor = tonumber(s[8] or s[9])
for i = 12, #KEYS, 2 do
  if redis.call('HGET', KEYS[i], 'phase') == 'sending' then
    local due = redis.call('ZSCORE', lanes, ARGV[6 + (i - 12) / 2])
    if due and tonumber(due) > t then return {'busy'} end
  end
end

local leaving, left = {}, {}
for identity in string.gmatch(record.identities, '%S+') do
  if redis.call('SREM', id, identity) == 1 then
    leaving[identity] = true
    left[#left + 1] = identity
  end
end
-- "<seq> <mode> <identity>", and "<account> <seq> <author> <control, - when it is still good> <identity>"
local messages, sends = {}, {}
for _, item in ipairs(redis.call('LRANGE', mb, 0, -1)) do
  local seq, identity = string.match(item, '^(%d+) %a (.+)$')
  if leaving[identity] then
    -- Of an arrival that has not been welcomed yet nothing is left.
    if tonumber(seq) ~= record.seq then messages[#messages + 1] = item end
    redis.call('LREM', mb, 1, item)
  end
end
for i = 11, #KEYS, 2 do
  local lane, head = KEYS[i], KEYS[i + 1]
  local member = ARGV[6 + (i - 11) / 2]
  local tried = redis.call('HMGET', head, 'phase', 'pd')
  for place, item in ipairs(redis.call('LRANGE', lane, 0, -1)) do
    local seq, author, parts, control, identity = string.match(item, '^(%d+) (%a)(%d*) (%d+) (.+)$')
    if leaving[identity] then
      if place == 1 then
        if tried[1] == 'sending' then author = string.upper(author) end
        parts = tried[2] or parts
        redis.call('HINCRBY', head, 'fence', 1)
        redis.call('HDEL', head, 'phase', 'at', 'pd')
      end
      if author == 'b' and tonumber(control) >= floor then control = '-' end
      sends[#sends + 1] =
        string.match(member, ' (.+)$') .. ' ' .. seq .. ' ' .. author .. parts .. ' ' .. control .. ' ' .. identity
      redis.call('LREM', lane, 1, item)
    end
  end
  if redis.call('LLEN', lane) == 0 then
    redis.call('ZREM', lanes, member)
  else
    redis.call('ZADD', lanes, t, member)
    hint('o', shard(st), 0)
  end
end
-- What is known of an identity leaves with it; which handles are good is known on both sides.
local back, fields = {}, redis.call('HGETALL', st)
for i = 1, #fields, 2 do
  local prefix, of = string.match(fields[i], '^(%w+):(.+)$')
  if leaving[of] then redis.call('HDEL', st, fields[i]) end
  if leaving[of] or prefix == 'hg' then back[fields[i]] = fields[i + 1] end
end

if record.disputed and record.maker == record.other then
  local rest, tr, conversation, window = KEYS[9], KEYS[10], s[4], ''
  for field in string.gmatch(ARGV[5], '%S+') do
    if field ~= 'cid' and field ~= 'open' then redis.call('HDEL', st, field) end
  end
  local rested = redis.call('HGETALL', rest)
  for i = 1, #rested, 2 do
    if rested[i] == 'window' then window = rested[i + 1] else redis.call('HSET', st, rested[i], rested[i + 1]) end
    if rested[i] == 'cid' then conversation = rested[i + 1] end
  end
  if window == '' then redis.call('DEL', tr) else redis.call('SET', tr, window) end
  redis.call('DEL', rest)
  if redis.call('HEXISTS', st, 't:idle') == 1 then redis.call('HSET', st, 't:idle', conversation .. ' ' .. s[9]) end
end

local journal = journal_of(KEYS[3], t, s[5], s[6])
record.split = append(journal, 'a', ARGV[4], s[4], '')
record.phase = 'split'
record.left, record.back = table.concat(left, ' '), cjson.encode(back)
record.messages, record.sends = table.concat(messages, '\n'), table.concat(sends, '\n')
written = cjson.encode(record)
redis.call('HSET', mg, merge, written)
redis.call('HINCRBY', st, 'ln', 1)
redis.call('HSET', st, 'n', journal.n, 'pv', journal.pv, 'at', 0)
redis.call('HDEL', st, 'hold', 'why', 'num')
if leaving[s[10]] then redis.call('HDEL', st, 'to') end
if leaving[s[11]] then redis.call('HDEL', st, 'lt') end
if leaving[s[7]] then
  local stays = not leaving[record.source] and record.source or not leaving[record.to] and record.to
  if stays then redis.call('HSET', st, 'via', stays) else redis.call('HDEL', st, 'via') end
end
event(ev, 'customer.split', customer, s[4], record.split, '')
if redis.call('LLEN', mb) > 0 then
  redis.call('ZADD', run, t, customer)
  hint('b', shard(st), 0, customer)
else
  redis.call('ZREM', run, customer)
  hint('e', shard(st), record.split)
end
return {'ok', written}
