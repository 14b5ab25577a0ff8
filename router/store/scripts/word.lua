-- Promise: a word stands once among the words of a field.
-- KEYS state          ARGV offset, customer, field, word          Answers 1 | 0 (no such customer)
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], ARGV[3], with(redis.call('HGET', KEYS[1], ARGV[3]), ARGV[4]))
return 1
