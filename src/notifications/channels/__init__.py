"""Ways to people: the inbox, and providers who carry SMS, all behind one Protocol."""
