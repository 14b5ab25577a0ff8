-- Promise: what a form or a site said of a customer who is there is kept; newer words go over older ones.
-- KEYS state          ARGV offset, customer, JSON of words by key          Answers 1 | 0 | where to
local s = redis.call('HMGET', KEYS[1], 'jid', 'gone', 'about')
if s[2] then return elsewhere(s[2]) or 0 end
if not s[1] then return 0 end
local about = s[3] and cjson.decode(s[3]) or {}
for key, words in pairs(cjson.decode(ARGV[3])) do about[key] = words end
redis.call('HSET', KEYS[1], 'about', cjson.encode(about))
return 1
