-- Promise: a batch that was given up goes back to the end of its mailbox, once.
-- KEYS dead letters, mailbox, run, state, journal          ARGV offset, customer, id of the letter          Answers how many messages | 0
local dlq, mb, run, st, jr = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local found = redis.call('XRANGE', dlq, ARGV[3], ARGV[3])
if not found[1] or redis.call('HEXISTS', st, 'gone') == 1 then return 0 end
local fields, letter = found[1][2], {}
for i = 1, #fields, 2 do letter[fields[i]] = fields[i + 1] end
if letter.customer ~= ARGV[2] then return 0 end
local items = 0
for seq in string.gmatch(letter.seqs, '%d+') do
  local row = redis.call('XRANGE', jr, seq .. '-0', seq .. '-0')[1]
  if row then
    local entry = cjson.decode(row[2][2])
    local mode = entry.content and entry.content.type == 'choice' and 'x' or 't'
    redis.call('RPUSH', mb, seq .. ' ' .. mode .. ' ' .. entry.identity)
    items = items + 1
  end
end
redis.call('XDEL', dlq, ARGV[3])
local t = now(ARGV[1])
if not redis.call('ZSCORE', run, ARGV[2]) then redis.call('ZADD', run, t, ARGV[2]) end
hint('r', shard(st), 0, ARGV[2])
return items
