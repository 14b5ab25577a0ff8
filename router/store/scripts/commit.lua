-- Promise: a turn is written whole, once, and only by the worker that holds the lease; its repeat gets the first answer.
-- KEYS state, run, mailbox, journal, tracker, events, buttons, dead letters, delivery states, lanes' run, lane of each account …
-- ARGV offset, call (Commit in calls.py), window or '' (unchanged)
-- Answers {'ok', still waiting, ms until they may be claimed, seq of each entry …} | {'lost'}
local st, run, mb, jr, tr, ev, bt, dlq = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local ds, lanes = KEYS[9], KEYS[10]
local call = cmsgpack.unpack(ARGV[2])
local customer, turn, channel, lease = call.customer, call.turn, call.channel, tostring(call.lease)

local s = redis.call('HMGET', st, 'gone', 'ln', 'tn', 'bl', 'lln', 'last', 'cid', 'wu', 'cn', 'n', 'pv')
if s[1] then return {'lost'} end
if s[5] == lease and tonumber(s[3]) == turn + 1 then return cjson.decode(s[6]) end
if s[2] ~= lease or tonumber(s[3]) ~= turn or tonumber(s[4]) == 0 then return {'lost'} end

local t = now(ARGV[1])
local conversation = s[7]
local length = tonumber(s[4])
if call.dead ~= '' then
  local seqs = {}
  for i, item in ipairs(redis.call('LRANGE', mb, 0, length - 1)) do seqs[i] = string.match(item, '^(%d+)') end
  redis.call('XADD', dlq, '*', 'customer', customer, 'turn', turn, 'seqs', table.concat(seqs, ' '), 'reason', call.dead)
  event(ev, 'turn.dead', customer, conversation, seqs[1], channel)
end
if ARGV[3] ~= '' then redis.call('SET', tr, ARGV[3]) end

local journal = journal_of(jr, t, s[10], s[11])
local set, gone = {'tn', turn + 1, 'lln', lease, 'bl', 0, 'at', 0}, {'why'}
for field, value in pairs(call.state) do
  if value == '' then
    gone[#gone + 1] = field
  else
    set[#set + 1] = field
    set[#set + 1] = value
  end
end
local answer = {'ok', 0, 0}
for i, entry in ipairs(call.entries) do
  answer[i + 3] = append(journal, entry[1], entry[2], conversation, '')
  event(ev, 'message.created', customer, conversation, answer[i + 3], channel)
end
for _, button in ipairs(call.buttons) do
  redis.call('HSET', bt, button[2], answer[button[1] + 3] .. ' ' .. button[3])
end
if call.buttons[1] then
  redis.call('PEXPIRE', bt, 2592000000)
  keep_last(bt, 200, function(_, value) return tonumber(string.match(value, '^(%d+)')) end)
end
for _, kind in ipairs(call.events) do event(ev, kind, customer, conversation, 0, channel) end
for _, to in ipairs(call.deliveries) do
  local seq = answer[to[1] + 3]
  redis.call('RPUSH', KEYS[10 + to[2]], seq .. ' ' .. to[4] .. ' ' .. s[9] .. ' ' .. to[5])
  redis.call('HSET', ds, seq, 'pending')
  if redis.call('ZADD', lanes, 'NX', t, to[3]) == 1 and call.hint then hint('o', shard(st), 0) end
end
if call.deliveries[1] then keep_deliveries(ds) end

redis.call('LTRIM', mb, length, -1)
local waiting = redis.call('LLEN', mb)
local ready = t
if waiting > 0 and s[8] and tonumber(s[8]) > t then ready = tonumber(s[8]) end
answer[2], answer[3] = waiting, ready - t
redis.call('HDEL', st, unpack(gone))
set[#set + 1] = 'n'; set[#set + 1] = journal.n
set[#set + 1] = 'pv'; set[#set + 1] = journal.pv
set[#set + 1] = 'last'; set[#set + 1] = cjson.encode(answer)
if ready > t then set[#set + 1] = 'why'; set[#set + 1] = 'window' end
redis.call('HSET', st, unpack(set))
if waiting == 0 then
  redis.call('ZREM', run, customer)
else
  redis.call('ZADD', run, ready, customer)
end
if call.hint then hint('e', shard(st), turn) end
return answer
