-- The closed list of what is found out about scans gives way to a longer one: a venue that looks at what it was not
-- granted, and a device that says no to what is good.
-- Locks: wallet.finding, for as long as its rows take to check. Old code: writes only words that both lists have, and
-- cannot read the new ones, so it is to be stopped soon after. Time: a second for every ten million findings.
ALTER TABLE wallet.finding
    DROP CONSTRAINT finding_sort_check,
    ADD CONSTRAINT finding_sort_check CHECK (sort IN (
        'double_use', 'late_revocation', 'late_suspension', 'mandate_ended', 'wrong_scenario', 'verdict_differs'));
