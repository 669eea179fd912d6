"""Rheobase beside snnTorch, on the same random work: the table of cases of side_by_side_test.py."""
