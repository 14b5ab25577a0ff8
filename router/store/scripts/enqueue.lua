-- Promise: a message is written down once, in the journal and in the mailbox, or not at all; a repeat gets the first answer.
-- What may start now is claimed in the same step for a worker that stands by: a claim would find this message alone.
-- What a visitor shows is checked in the same step.
-- KEYS state, identities, seen, journal, mailbox, run, events, timers, vendor ids, tracker, mark of a sign-out
-- ARGV offset, call (Enqueue in calls.py), journal entry (JSON)
-- Answers {'ok', seq, journal, ms until it may be claimed or -1 [, now, state, window: it is claimed]}
--       | {'repeat', seq, journal, entry} | {'gone', why} | {'elsewhere', kin} | {'not_mine'} | {'refused'} | {'full'}
local st, id, dd, jr, mb, run, ev = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local tmr, mid, tr, mark = KEYS[8], KEYS[9], KEYS[10], KEYS[11]
local call = cmsgpack.unpack(ARGV[2])
local customer, identity, channel, mode, window = call.customer, call.identity, call.channel, call.mode, call.window

local function origin()
  call.origin.locale = call.locale
  return cjson.encode(call.origin)
end

local s = redis.call('HMGET', st, 'gone', 'jid', 'cid', 'open', 'why', 'w0', 'wu', 'days', 'ctl', 'cn', 'n', 'pv', 'ln', 'at', 'hold', 'hg:' .. call.visitor)
if s[1] then return {'gone', s[1]} end
local known = s[2]
if known and redis.call('SISMEMBER', id, identity) == 0 then return {'not_mine'} end
local t = now(ARGV[1])
if call.visitor ~= '' and standing(st, mark, call.visitor, call.generation, known, s[16], t) ~= 'ok' then
  return {'refused'}
end
local seq = redis.call('ZSCORE', dd, call.dedupe)
if seq then
  -- Of a customer who was merged: their own journal has it. The half tells it from a seq of ours.
  if string.find(seq, '.', 1, true) then return {'elsewhere', redis.call('HGET', st, 'kin') or ''} end
  local found = redis.call('XRANGE', jr, seq .. '-0', seq .. '-0')
  return {'repeat', tonumber(seq), s[2], found[1] and found[1][2][2] or ''}
end
local held = redis.call('LLEN', mb)
if held >= call.most then return {'full'} end

local journal_id, conversation, first = s[2], s[3], ''
local set = {'via', identity}
local function keep(field, value)
  set[#set + 1] = field
  set[#set + 1] = value
end
if not known then
  journal_id, conversation, first = call.journal, call.conversation, origin()
  set = {'fmt', 1, 'jid', journal_id, 'cid', conversation, 'open', 1, 'ctl', s[9] or 'bot', 'cn', s[10] or 0, 'ln', 0, 'tn', 0, 'bl', 0,
    'at', 0, 'loc', call.locale, 'via', identity}
  redis.call('SADD', id, identity)
elseif s[4] ~= '1' then
  conversation, first = call.conversation, origin()
  keep('cid', conversation); keep('open', 1)
  -- An open form is an open case: it goes on where it stopped. A Rasa session that begins anew would end it.
  keep('ns', redis.call('HEXISTS', st, 'form') == 1 and 'back' or 1)
end
if first ~= '' then event(ev, 'conversation.opened', customer, conversation, 0, channel) end

local journal = journal_of(jr, t, s[11], s[12])
seq = append(journal, 'c', ARGV[3], conversation, first)
keep('n', journal.n); keep('pv', journal.pv)
redis.call('ZADD', dd, seq, call.dedupe)
-- The first seq of each of the last 30 days tells how far ids may be forgotten: of messages in 8 days, of ours in 30.
local today = day(t)
if not s[8] or not string.find(s[8], today .. ':', 1, true) then
  local kept, oldest, oldest_seen = {}, nil, nil
  for d, first_seq in string.gmatch(s[8] or '', '(%d+):(%d+)') do
    if tonumber(d) >= today - 30 then
      kept[#kept + 1] = d .. ':' .. first_seq
      oldest = oldest or first_seq
    end
    if tonumber(d) >= today - 8 then oldest_seen = oldest_seen or first_seq end
  end
  kept[#kept + 1] = today .. ':' .. seq
  keep('days', table.concat(kept, ' '))
  if known then
    redis.call('ZREMRANGEBYSCORE', dd, '-inf', '(' .. (oldest_seen or seq))
    redis.call('ZREMRANGEBYSCORE', mid, '-inf', '(' .. (oldest or seq))
  end
end
redis.call('RPUSH', mb, seq .. ' ' .. mode .. ' ' .. identity)

-- A person's conversation is closed by that person, not by time.
if call.idle > 0 and (s[9] or 'bot') == 'bot' then
  keep('t:idle', conversation .. ' ' .. (s[10] or 0))
  redis.call('ZADD', tmr, t + call.idle, customer .. ' idle')
end

-- When may it be claimed? A leased or backed-off customer keeps its time; a burst waits for its end.
local waiting = known and redis.call('ZSCORE', run, customer)
local ready = nil
if mode == 't' and window > 0 then
  local began = t
  if s[6] and s[7] and tonumber(s[7]) > t then began = tonumber(s[6]) end
  local ends = math.min(t + window, began + 3 * window)
  keep('w0', began); keep('wu', ends)
  if not waiting or s[5] == 'window' then ready = ends; keep('why', 'window') end
else
  if s[7] then keep('wu', 0) end
  if not waiting or s[5] == 'window' then
    ready = t
    if s[5] then redis.call('HDEL', st, 'why') end
  end
end
local taken = ready == t and held == 0 and not waiting and call.lease > 0 and not (s[15] and holder(s[15], t))
if taken then
  keep('ln', tonumber(s[13] or 0) + 1); keep('at', tonumber(s[14] or 0) + 1); keep('bl', 1); keep('why', 'lease')
  ready = t + call.lease
end
redis.call('HSET', st, unpack(set))
event(ev, 'message.created', customer, conversation, seq, channel)
if ready then redis.call('ZADD', run, ready, customer) end
if ready and not taken and call.hint == 'b' then
  hint('b', shard(st), ready - t, customer)
elseif call.hint ~= '' then
  hint('e', shard(st), seq)
end
if taken then return {'ok', seq, journal_id, -1, t, turn_needs(st), redis.call('GET', tr) or ''} end
return {'ok', seq, journal_id, ready and ready - t or -1}
