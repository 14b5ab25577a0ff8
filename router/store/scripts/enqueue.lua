-- Promise: a message is written down once, in the journal and in the mailbox, or not at all; a repeat gets the first answer.
-- KEYS state, identities, seen, journal, mailbox, run, events, timers, vendor ids
-- ARGV offset, customer, identity, channel, dedupe, entry, mode (t joins a burst, x stands alone), window,
--      most in the mailbox, new journal id, new conversation id, locale, origin JSON, ms until an idle conversation is closed
-- Answers {'ok', seq, journal, conversation} | {'repeat', seq, journal, entry} | {'gone', why} | {'elsewhere', kin} | {'not_mine'} | {'full'}
local st, id, dd, jr, mb, run, ev = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local tmr, mid = KEYS[8], KEYS[9]
local offset, customer, identity, channel, dedupe, entry, mode = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local window, most = tonumber(ARGV[8]), tonumber(ARGV[9])

local s = redis.call('HMGET', st, 'gone', 'jid', 'cid', 'open', 'why', 'w0', 'wu', 'days', 'ctl', 'cn', 'n', 'pv')
if s[1] then return {'gone', s[1]} end
local known = s[2]
if known and redis.call('SISMEMBER', id, identity) == 0 then return {'not_mine'} end
local seq = redis.call('ZSCORE', dd, dedupe)
if seq then
  -- Of a customer who was merged: their own journal has it. The half tells it from a seq of ours.
  if string.find(seq, '.', 1, true) then return {'elsewhere', redis.call('HGET', st, 'kin') or ''} end
  local found = redis.call('XRANGE', jr, seq .. '-0', seq .. '-0')
  return {'repeat', tonumber(seq), s[2], found[1] and found[1][2][2] or ''}
end
if redis.call('LLEN', mb) >= most then return {'full'} end

local t = now(offset)
local journal_id, conversation, first = s[2], s[3], ''
local set = {'via', identity}
local function keep(field, value)
  set[#set + 1] = field
  set[#set + 1] = value
end
if not known then
  journal_id, conversation, first = ARGV[10], ARGV[11], ARGV[13]
  set = {'fmt', 1, 'jid', journal_id, 'cid', conversation, 'open', 1, 'ctl', 'bot', 'cn', 0, 'ln', 0, 'tn', 0, 'bl', 0,
    'at', 0, 'loc', ARGV[12], 'via', identity}
  redis.call('SADD', id, identity)
elseif s[4] ~= '1' then
  conversation, first = ARGV[11], ARGV[13]
  keep('cid', conversation); keep('open', 1)
  -- An open form is an open case: it goes on where it stopped. A Rasa session that begins anew would end it.
  keep('ns', redis.call('HEXISTS', st, 'form') == 1 and 'back' or 1)
end
if first ~= '' then event(ev, 'conversation.opened', customer, conversation, 0, channel) end

local journal = journal_of(jr, t, s[11], s[12])
seq = append(journal, 'c', entry, conversation, first)
keep('n', journal.n); keep('pv', journal.pv)
redis.call('ZADD', dd, seq, dedupe)
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
if tonumber(ARGV[14]) > 0 and (s[9] or 'bot') == 'bot' then
  keep('t:idle', conversation .. ' ' .. (s[10] or 0))
  redis.call('ZADD', tmr, t + tonumber(ARGV[14]), customer .. ' idle')
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
redis.call('HSET', st, unpack(set))
event(ev, 'message.created', customer, conversation, seq, channel)
if ready then
  redis.call('ZADD', run, ready, customer)
  hint('b', shard(st), ready - t, customer)
else
  hint('e', shard(st), seq)
end
return {'ok', seq, journal_id, conversation}
