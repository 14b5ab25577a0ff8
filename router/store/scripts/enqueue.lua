-- Promise: a message is written down once, in the journal and in the mailbox, or not at all; a repeat gets the first answer.
-- KEYS state, identities, seen, journal, mailbox, run, events, timers, vendor ids
-- ARGV offset, customer, identity, channel, dedupe, entry, mode (t joins a burst, x stands alone), window,
--      most in the mailbox, new journal id, new conversation id, locale, origin JSON, ms until an idle conversation is closed
-- Answers {'ok', seq, journal, conversation} | {'repeat', seq, journal, entry} | {'gone'} | {'not_mine'} | {'full'}
local st, id, dd, jr, mb, run, ev = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local tmr, mid = KEYS[8], KEYS[9]
local offset, customer, identity, channel, dedupe, entry, mode = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local window, most = tonumber(ARGV[8]), tonumber(ARGV[9])

local s = redis.call('HMGET', st, 'gone', 'jid', 'cid', 'open', 'why', 'w0', 'wu', 'days', 'ctl', 'cn')
if s[1] then return {'gone'} end
local known = s[2]
if known and redis.call('SISMEMBER', id, identity) == 0 then return {'not_mine'} end
local seq = redis.call('ZSCORE', dd, dedupe)
if seq then
  local found = redis.call('XRANGE', jr, seq .. '-0', seq .. '-0')
  return {'repeat', tonumber(seq), s[2], found[1] and found[1][2][2] or ''}
end
if redis.call('LLEN', mb) >= most then return {'full'} end

local t = now(offset)
local journal, conversation, first = s[2], s[3], ''
if not known then
  journal, conversation, first = ARGV[10], ARGV[11], ARGV[13]
  redis.call('HSET', st, 'fmt', 1, 'jid', journal, 'cid', conversation, 'open', 1, 'ctl', 'bot', 'cn', 0, 'ln', 0,
    'tn', 0, 'bl', 0, 'at', 0, 'n', 0, 'loc', ARGV[12])
  redis.call('SADD', id, identity)
elseif s[4] ~= '1' then
  conversation, first = ARGV[11], ARGV[13]
  redis.call('HSET', st, 'cid', conversation, 'open', 1, 'ns', 1)
end
if first ~= '' then event(ev, 'conversation.opened', customer, conversation, 0, channel) end

seq = append(st, jr, t, 'c', entry, conversation, first)
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
  redis.call('HSET', st, 'days', table.concat(kept, ' '))
  redis.call('ZREMRANGEBYSCORE', dd, '-inf', '(' .. (oldest_seen or seq))
  redis.call('ZREMRANGEBYSCORE', mid, '-inf', '(' .. (oldest or seq))
end
redis.call('RPUSH', mb, seq .. ' ' .. mode .. ' ' .. identity)

-- When may it be claimed? A leased or backed-off customer keeps its time; a burst waits for its end.
local waiting = redis.call('ZSCORE', run, customer)
local set = {'via', identity}
-- A person's conversation is closed by that person, not by time.
if tonumber(ARGV[14]) > 0 and (s[9] or 'bot') == 'bot' then
  set[3] = 't:idle'; set[4] = conversation .. ' ' .. (s[10] or 0)
  redis.call('ZADD', tmr, t + tonumber(ARGV[14]), customer .. ' idle')
end
local ready = nil
if mode == 't' and window > 0 then
  local began = t
  if s[6] and s[7] and tonumber(s[7]) > t then began = tonumber(s[6]) end
  local ends = math.min(t + window, began + 3 * window)
  set[#set + 1] = 'w0'; set[#set + 1] = began
  set[#set + 1] = 'wu'; set[#set + 1] = ends
  if not waiting or s[5] == 'window' then ready = ends; set[#set + 1] = 'why'; set[#set + 1] = 'window' end
else
  set[#set + 1] = 'wu'; set[#set + 1] = 0
  if not waiting or s[5] == 'window' then ready = t; redis.call('HDEL', st, 'why') end
end
redis.call('HSET', st, unpack(set))
if ready then
  redis.call('ZADD', run, ready, customer)
  hint('r', shard(st), ready - t)
end
event(ev, 'message.created', customer, conversation, seq, channel)
hint('e', shard(st), seq)
return {'ok', seq, journal, conversation}
