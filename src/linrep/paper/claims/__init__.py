"""The paper's claims C1 to C6 held against experiment: each with the numbers, the rule and a control."""
