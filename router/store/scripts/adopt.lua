-- Promise: a customer takes over another who is frozen: all of it, once. Their journal stays where it is.
-- KEYS state, identities, journal, mailbox, run, events, timers, tracker, merges, resting dialogue, delivery states,
--      lanes' run, lane of each account …
-- ARGV offset, customer, merge, the other, entry, identity that redeemed, whether there is an arrival (1 or 0),
--      whether the other's dialogue survives (1 or 0), their window, their last seq, their control, owner, when it was accepted,
--      control number, about, ms until an idle conversation is closed, life of what rests, then by number:
--      fields of a dialogue · identities · their dialogue: field, value · fields that go along: field, value
--      · timers: kind, due · what they had waiting, see carry
-- Answers {'ok', record} | {'gone', why} | {'busy'} | {'none'}
local st, id, mb, run, ev, tmr = KEYS[1], KEYS[2], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local tr, mg, rest, ds, lanes = KEYS[8], KEYS[9], KEYS[10], KEYS[11], KEYS[12]
local customer, merge, other, arrives, theirs = ARGV[2], ARGV[3], ARGV[4], ARGV[7] == '1', ARGV[8] == '1'
local t = now(ARGV[1])
local written = redis.call('HGET', mg, merge)
if not written then return {'none'} end
local record = cjson.decode(written)
if record.phase ~= 'intent' then return {'ok', written} end
local s = redis.call('HMGET', st, 'gone', 'hold', 'bl', 'cid', 'n', 'pv', 'ctl', 'own', 'ca', 'cn', 'cf', 'about', 'kin')
if s[1] then return {'gone', s[1]} end
if holder(s[2], t) ~= merge or tonumber(s[3] or 0) > 0 then return {'busy'} end

local at = 18
local function pairs_from(use)
  local number = tonumber(ARGV[at])
  at = at + 1
  for _ = 1, number do
    use(ARGV[at], ARGV[at + 1])
    at = at + 2
  end
end
local function words_from(use)
  local number = tonumber(ARGV[at])
  for i = at + 1, at + number do use(ARGV[i]) end
  at = at + number + 1
end

-- Whose dialogue goes on? The one of who made the code; the other one rests.
local conversation, dialogue = s[4], {}
words_from(function(field) dialogue[#dialogue + 1] = field end)
if theirs then
  local mine = redis.call('HMGET', st, unpack(dialogue))
  for i, field in ipairs(dialogue) do
    if mine[i] then redis.call('HSET', rest, field, mine[i]) end
  end
  redis.call('HSET', rest, 'window', redis.call('GET', tr) or '')
  redis.call('PEXPIRE', rest, ARGV[17])
  redis.call('HDEL', st, unpack(dialogue))
  if ARGV[9] == '' then redis.call('DEL', tr) else redis.call('SET', tr, ARGV[9]) end
end
local identities = {}
words_from(function(identity)
  identities[#identities + 1] = identity
  redis.call('SADD', id, identity)
end)
pairs_from(function(field, value)
  if not theirs then return end
  redis.call('HSET', st, field, value)
  if field == 'cid' then conversation = value end
end)
pairs_from(function(field, value)
  -- Where replies go was chosen once; the survivor's choice stands.
  if field == 'to' then redis.call('HSETNX', st, field, value) else redis.call('HSET', st, field, value) end
end)

-- Who speaks? A person over the queue over the bot; of two people the one who accepted first.
local RANKS = {bot = 0, queued = 1, human = 2}
local control, number = s[7], math.max(tonumber(s[10]), tonumber(ARGV[14])) + 1
local takes = RANKS[ARGV[11]] > RANKS[control]
  or (control == 'human' and ARGV[11] == 'human' and tonumber(ARGV[13]) < tonumber(s[9] or 0))
redis.call('HSET', st, 'cn', number)
if takes then
  control = ARGV[11]
  redis.call('HSET', st, 'ctl', control)
  redis.call('HDEL', st, 'own', 'ca')
  if ARGV[12] ~= '' then redis.call('HSET', st, 'own', ARGV[12], 'ca', ARGV[13]) end
end
-- The bot goes on speaking: what it had said and is not yet sent is still good.
if control == 'bot' then redis.call('HSET', st, 'cf', s[11] or s[10]) else redis.call('HDEL', st, 'cf') end

-- What was said of the person: both are kept where they differ.
local about = s[12] and cjson.decode(s[12]) or {}
local more, any = cjson.decode(ARGV[15]), s[12]
for key, words in pairs(more) do
  any = true
  if about[key] == nil then
    about[key] = words
  elseif about[key] ~= words then
    about[key .. '.2'] = words
  end
end
if any then redis.call('HSET', st, 'about', cjson.encode(about)) end

-- Timers go with the conversation that goes on, and belong to its new number.
local mine = redis.call('HKEYS', st)
for _, field in ipairs(mine) do
  if string.sub(field, 1, 2) == 't:' then
    if theirs or redis.call('HGET', st, field) ~= s[4] .. ' ' .. s[10] then
      redis.call('HDEL', st, field)
      redis.call('ZREM', tmr, customer .. ' ' .. string.sub(field, 3))
    else
      redis.call('HSET', st, field, conversation .. ' ' .. number)
    end
  end
end
pairs_from(function(kind, due)
  if not theirs then return end
  redis.call('HSET', st, 't:' .. kind, conversation .. ' ' .. number)
  redis.call('ZADD', tmr, due, customer .. ' ' .. kind)
end)
if control == 'bot' and tonumber(ARGV[16]) > 0 and redis.call('HGET', st, 'open') == '1' then
  redis.call('HSET', st, 't:idle', conversation .. ' ' .. number)
  redis.call('ZADD', tmr, t + tonumber(ARGV[16]), customer .. ' idle')
else
  redis.call('HDEL', st, 't:idle')
  redis.call('ZREM', tmr, customer .. ' idle')
end

local journal = journal_of(KEYS[3], t, s[5], s[6])
record.seq = append(journal, 'a', ARGV[5], conversation, '')
if arrives then redis.call('RPUSH', mb, record.seq .. ' x ' .. ARGV[6]) end
if theirs then redis.call('HSET', st, 'tr_seq', record.seq) end
record.moved = carry(at, journal, conversation, mb, ds, lanes, 12, number)
record.phase, record.merged, record.last = 'adopted', t, tonumber(ARGV[10])
record.identities = table.concat(identities, ' ')
written = cjson.encode(record)
redis.call('HSET', mg, merge, written)
redis.call('HINCRBY', st, 'ln', 1)
redis.call('HSET', st, 'n', journal.n, 'pv', journal.pv, 'via', ARGV[6], 'at', 0, 'wu', 0, 'kin', with(s[13], other))
redis.call('HDEL', st, 'hold', 'why')
if takes then event(ev, 'control.' .. control, customer, conversation, number, '') end
event(ev, 'merge.adopted', customer, conversation, record.seq, string.match(ARGV[6], '^[^:]+'))
if redis.call('LLEN', mb) > 0 then
  redis.call('ZADD', run, t, customer)
  hint('b', shard(st), 0, customer)
else
  hint('e', shard(st), record.seq)
end
return {'ok', written}
