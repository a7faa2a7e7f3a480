SELECT
    person,
    sum(spent)::BIGINT AS spent
FROM people.visits
GROUP BY person
