-- Put before every script. Scripts check everything before their first write, because Redis does not roll back.

-- Fields of the state that a claim brings: what a turn reads, those that are there, in MessagePack.
local TURN_NEEDS = {'cid', 'ln', 'tn', 'at', 'ctl', 'loc', 'lang', 'lv', 'ns', 'num', 'to', 'lt', 'fa'}

local function turn_needs(st)
  local values, found = redis.call('HMGET', st, unpack(TURN_NEEDS)), {}
  for i, field in ipairs(TURN_NEEDS) do found[field] = values[i] or nil end
  return cmsgpack.pack(found)
end

-- Redis' clock in milliseconds; the offset is 0 outside tests.
local function now(offset)
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000) + tonumber(offset)
end

local function day(t)
  return math.floor(t / 86400000)
end

-- The journal in the hands of one script: n and pv of the state, counted here and written back once, by the script.
local function journal_of(jr, t, n, pv)
  return {jr = jr, t = t, n = tonumber(n or 0), pv = tonumber(pv or 0)}
end

-- Journal entry: takes the next seq; p is the last seq before it that a customer may see.
local function append(journal, audience, entry, conversation, first)
  journal.n = journal.n + 1
  local fields = {'e', entry, 't', journal.t, 'p', journal.pv, 'a', audience, 'c', conversation}
  if first ~= '' then
    fields[11] = 'o'
    fields[12] = first
  end
  redis.call('XADD', journal.jr, journal.n .. '-0', unpack(fields))
  if audience == 'c' then journal.pv = journal.n end
  return journal.n
end

-- Domain event: ids, kinds and numbers, never text. Trimmed by a sweep, behind those who read them.
local function event(ev, kind, customer, conversation, seq, channel)
  redis.call('XADD', ev, '*', 'k', kind, 'c', customer, 'v', conversation, 's', seq, 'ch', channel)
end

-- Hints only wake; a poll is the truth. r: this customer may be claimed in so many ms · o: a lane may be tried
-- · e: an event · b: an event, and r
local function hint(what, tag, number, who)
  redis.call('PUBLISH', 'segue:hint', what .. ' ' .. tag .. ' ' .. number .. (who and ' ' .. who or ''))
end

local function shard(key)
  return string.match(key, '^{(%d+)}')
end

-- Delivery states only rise; failed and unknown yield to a proof that it arrived.
local RANK = {pending = 0, unknown = 1, failed = 1, sent = 2, delivered = 3, read = 4}

local function rises(from, to)
  if not from then return true end
  if to == 'failed' then return from == 'pending' or from == 'unknown' or from == 'sent' end
  return RANK[to] > RANK[from]
end

-- A hash whose fields or values begin with a seq keeps the last ones; cleaned when it is a quarter too long.
local function keep_last(hash, most, number_of)
  if redis.call('HLEN', hash) <= most * 1.25 then return end
  local all, rows = redis.call('HGETALL', hash), {}
  for i = 1, #all, 2 do rows[#rows + 1] = {number_of(all[i], all[i + 1]), all[i]} end
  table.sort(rows, function(a, b) return a[1] < b[1] end)
  for i = 1, #rows - most do redis.call('HDEL', hash, rows[i][2]) end
end

-- Delivery states by seq, and by e<seq> what a message says by now.
local function keep_deliveries(ds)
  keep_last(ds, 500, function(field) return tonumber(string.match(field, '%d+')) end)
end

-- Status entry of a message, when it rises: its state, the journal, an event. Answers its seq, or 0.
local function settle_status(st, jr, ev, ds, t, customer, channel, seq, status, reason)
  local from = redis.call('HGET', ds, seq)
  if not rises(from, status) then return 0 end
  redis.call('HSET', ds, seq, status)
  local s = redis.call('HMGET', st, 'cid', 'n', 'pv')
  local conversation, journal = s[1], journal_of(jr, t, s[2], s[3])
  local entry = {kind = 'status', author = {kind = 'system', name = ''}, of = tonumber(seq), status = status}
  if reason ~= '' then entry.reason = reason end
  local written = append(journal, 'c', cjson.encode(entry), conversation, '')
  redis.call('HSET', st, 'n', journal.n, 'pv', journal.pv)
  event(ev, 'delivery.' .. status, customer, conversation, seq, channel)
  hint('e', shard(st), written)
  return written
end

-- Who is or was taken over by another; nil of who is there, or was erased.
local function elsewhere(gone)
  return gone and string.sub(gone, 1, 3) == 'mov' and gone or nil
end

-- A customer who is about to be merged is held for a moment: no new batch, no new try. "<merge> <until>"
local function holder(hold, t)
  local merge, ends = string.match(hold or '', '^(%S+) (%d+)$')
  if merge and tonumber(ends) > t then return merge, tonumber(ends) end
end

-- Of all generations of a visitor's handle one is current and, for a moment, so is the one before; what was passed over or
-- signed out stays refused. A visitor who has no customer yet (`lives`) leaves no key behind, but by signing out.
-- known: the state's field of that visitor; grace: for so long it stays good beside its follower, which is given out now
local function standing(st, mark, visitor, generation, lives, known, t, grace)
  local field = 'hg:' .. visitor
  if known == 'out' then return 'out' end
  if redis.call('EXISTS', mark) == 1 then
    if lives then redis.call('HSET', st, field, 'out') end
    return 'out'
  end
  if not lives then return 'ok' end
  -- "<current generation> <when its follower alone is good, 0 while there is none>"
  local current, ends = string.match(known or '0 0', '^(%d+) (%d+)$')
  current, ends = tonumber(current), tonumber(ends)
  if generation < current or (generation == current and ends > 0 and t > ends) then return 'passed' end
  local before = current .. ' ' .. ends
  if generation > current then current, ends = generation, 0 end
  if grace and ends == 0 then ends = t + grace end
  local after = current .. ' ' .. ends
  if after ~= before then redis.call('HSET', st, field, after) end
  return 'ok'
end

-- What one customer had waiting is written anew in the journal of another, in its order.
-- ARGV from `at`: number of items, then of each
--      m, old seq, mode, identity, entry                                                            a message
--      s, old seq, lane (1…), lane member, author, control number ('' today's), identity, audience, entry   a send
--      e, old seq of what was edited, entry up to that seq, entry behind it                          an edit of one of them
-- Answers "<old seq>:<new seq> …"; the lanes are the KEYS behind `lanes_behind`
local function carry(at, journal, conversation, mb, ds, lanes, lanes_behind, control)
  local moved, new = {}, {}
  for _ = 1, tonumber(ARGV[at]) do
    local kind, old, seq = ARGV[at + 1], ARGV[at + 2], nil
    if kind == 'm' then
      seq = append(journal, 'c', ARGV[at + 5], conversation, '')
      redis.call('RPUSH', mb, seq .. ' ' .. ARGV[at + 3] .. ' ' .. ARGV[at + 4])
      at = at + 5
    elseif kind == 's' then
      seq = append(journal, ARGV[at + 8], ARGV[at + 9], conversation, '')
      local number = ARGV[at + 6] == '' and control or ARGV[at + 6]
      redis.call('RPUSH', KEYS[lanes_behind + tonumber(ARGV[at + 3])],
        seq .. ' ' .. ARGV[at + 5] .. ' ' .. number .. ' ' .. ARGV[at + 7])
      redis.call('HSET', ds, seq, 'pending')
      if redis.call('ZADD', lanes, 'NX', journal.t, ARGV[at + 4]) == 1 then hint('o', shard(mb), 0) end
      at = at + 9
    else
      local edit = append(journal, 'c', ARGV[at + 3] .. new[old] .. ARGV[at + 4], conversation, '')
      redis.call('HSET', ds, 'e' .. new[old], edit)
      at = at + 4
    end
    if seq then
      moved[#moved + 1] = old .. ':' .. seq
      new[old] = seq
    end
  end
  keep_deliveries(ds)
  return table.concat(moved, ' ')
end

local function with(words, word)
  for known in string.gmatch(words or '', '%S+') do
    if known == word then return words end
  end
  return (words and words ~= '') and words .. ' ' .. word or word
end
