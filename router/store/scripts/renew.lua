-- Promise: the lease lasts on while its worker works; a worker that lost it learns so.
-- KEYS state, run          ARGV offset, customer, lease number, lease          Answers 1 | 0
if redis.call('HGET', KEYS[1], 'ln') ~= ARGV[3] or redis.call('HGET', KEYS[1], 'why') ~= 'lease' then return 0 end
redis.call('ZADD', KEYS[2], 'XX', now(ARGV[1]) + tonumber(ARGV[4]), ARGV[2])
return 1
