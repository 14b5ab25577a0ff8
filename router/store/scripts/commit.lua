-- Promise: a turn is written whole, once, and only by the worker that holds the lease; its repeat gets the first answer.
-- KEYS state, run, mailbox, journal, tracker, events, buttons, dead letters, delivery states, lanes' run, lane of each account …
-- ARGV offset, customer, lease number, turn number, channel, dead-letter reason or '', window or '' (unchanged),
--      number of state fields, of entries, of buttons, of events, of deliveries, then
--      state: field, value ('' removes) · entries: audience, JSON · buttons: entry (1…), id, JSON · events: kind
--      deliveries: entry (1…), lane (1…), lane member, author letter, identity
-- Answers {'ok', still waiting, seq of each entry …} | {'lost'}
local st, run, mb, jr, tr, ev, bt, dlq = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local ds, lanes = KEYS[9], KEYS[10]
local customer, lease, turn, channel, dead, window = ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5], ARGV[6], ARGV[7]

local s = redis.call('HMGET', st, 'gone', 'ln', 'tn', 'bl', 'lln', 'last', 'cid', 'wu', 'cn', 'n', 'pv')
if s[1] then return {'lost'} end
if s[5] == lease and tonumber(s[3]) == turn + 1 then return cjson.decode(s[6]) end
if s[2] ~= lease or tonumber(s[3]) ~= turn or tonumber(s[4]) == 0 then return {'lost'} end

local t = now(ARGV[1])
local conversation = s[7]
local length = tonumber(s[4])
if dead ~= '' then
  local seqs = {}
  for i, item in ipairs(redis.call('LRANGE', mb, 0, length - 1)) do seqs[i] = string.match(item, '^(%d+)') end
  redis.call('XADD', dlq, '*', 'customer', customer, 'turn', turn, 'seqs', table.concat(seqs, ' '), 'reason', dead)
  event(ev, 'turn.dead', customer, conversation, seqs[1], channel)
end
if window ~= '' then redis.call('SET', tr, window) end

local journal = journal_of(jr, t, s[10], s[11])
local set, gone = {'tn', turn + 1, 'lln', lease, 'bl', 0, 'at', 0}, {'why'}
local at = 13
for _ = 1, tonumber(ARGV[8]) do
  if ARGV[at + 1] == '' then
    gone[#gone + 1] = ARGV[at]
  else
    set[#set + 1] = ARGV[at]
    set[#set + 1] = ARGV[at + 1]
  end
  at = at + 2
end
local answer = {'ok', 0}
for i = 1, tonumber(ARGV[9]) do
  answer[i + 2] = append(journal, ARGV[at], ARGV[at + 1], conversation, '')
  event(ev, 'message.created', customer, conversation, answer[i + 2], channel)
  at = at + 2
end
local offered = tonumber(ARGV[10])
for _ = 1, offered do
  redis.call('HSET', bt, ARGV[at + 1], answer[tonumber(ARGV[at]) + 2] .. ' ' .. ARGV[at + 2])
  at = at + 3
end
if offered > 0 then
  redis.call('PEXPIRE', bt, 2592000000)
  keep_last(bt, 200, function(_, value) return tonumber(string.match(value, '^(%d+)')) end)
end
for _ = 1, tonumber(ARGV[11]) do
  event(ev, ARGV[at], customer, conversation, 0, channel)
  at = at + 1
end
for _ = 1, tonumber(ARGV[12]) do
  local seq, lane, member = answer[tonumber(ARGV[at]) + 2], KEYS[10 + tonumber(ARGV[at + 1])], ARGV[at + 2]
  redis.call('RPUSH', lane, seq .. ' ' .. ARGV[at + 3] .. ' ' .. s[9] .. ' ' .. ARGV[at + 4])
  redis.call('HSET', ds, seq, 'pending')
  if redis.call('ZADD', lanes, 'NX', t, member) == 1 then hint('o', shard(st), 0) end
  at = at + 5
end
if tonumber(ARGV[12]) > 0 then keep_deliveries(ds) end

redis.call('LTRIM', mb, length, -1)
local waiting = redis.call('LLEN', mb)
answer[2] = waiting
local ready = t
if waiting > 0 and s[8] and tonumber(s[8]) > t then ready = tonumber(s[8]) end
redis.call('HDEL', st, unpack(gone))
set[#set + 1] = 'n'; set[#set + 1] = journal.n
set[#set + 1] = 'pv'; set[#set + 1] = journal.pv
set[#set + 1] = 'last'; set[#set + 1] = cjson.encode(answer)
if ready > t then set[#set + 1] = 'why'; set[#set + 1] = 'window' end
redis.call('HSET', st, unpack(set))
if waiting == 0 then
  redis.call('ZREM', run, customer)
  hint('e', shard(st), turn)
else
  redis.call('ZADD', run, ready, customer)
  hint('b', shard(st), ready - t, customer)
end
return answer
