-- Promise: an entry that is no message (an edit, why a reply went where it went) is journalled once by its name.
-- KEYS state, seen, journal, events, delivery states
-- ARGV offset, customer, name, audience, entry, kind of event ('' none), channel
-- One who has moved takes them too: what was said there is changed there.
-- Answers seq | 0 (no such customer, or it is there) | where to
local st, dd = KEYS[1], KEYS[2]
local s = redis.call('HMGET', st, 'gone', 'cid', 'n', 'pv')
if s[1] and string.sub(s[1], 1, 6) ~= 'moved ' then return elsewhere(s[1]) or 0 end
if not s[2] or redis.call('ZSCORE', dd, ARGV[3]) then return 0 end
local journal = journal_of(KEYS[3], now(ARGV[1]), s[3], s[4])
local seq = append(journal, ARGV[4], ARGV[5], s[2], '')
redis.call('HSET', st, 'n', journal.n, 'pv', journal.pv)
redis.call('ZADD', dd, seq, ARGV[3])
local entry = cjson.decode(ARGV[5])
if entry.kind == 'edit' then
  redis.call('HSET', KEYS[5], 'e' .. string.format('%d', entry.of), seq)
  keep_deliveries(KEYS[5])
end
if ARGV[6] ~= '' then event(KEYS[4], ARGV[6], ARGV[2], s[2], seq, ARGV[7]) end
hint('e', shard(st), seq)
return seq
