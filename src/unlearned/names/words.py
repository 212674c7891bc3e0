"""Words that belong to no name: of grammar, requests, the calendar, nationalities; and those that open a clause."""

from __future__ import annotations

KEPT = frozenset(
    (
        "a about after all also although am an and any are as at be because been before being between but by can could "
        "did do does during each even for from had has have he her hers here him his how however i if in into is it "
        "its just let like many may me might more most much must my neither no nor not of off on once one or other our "
        "out over per shall she should since so some such than that the their them then there these they this those "
        "though through to too under until up upon us very via was we were what when where whether which while who "
        "whom whose why will with within without would yes yet you your "
        "analyze compare complete define describe discuss explain give identify list name outline please provide say "
        "state summarise summarize tell translate write "
        "monday tuesday wednesday thursday friday saturday sunday january february march april june july august "
        "september october november december "
        "african american arabic argentinian asian australian austrian belgian brazilian british canadian chilean "
        "chinese christian cuban czech danish dutch eastern egyptian english ethiopian european finnish french german "
        "greek hebrew hindi hungarian indian indonesian iranian iraqi irish islamic israeli italian japanese jewish "
        "kenyan korean latin mexican middle moroccan muslim nigerian northern norwegian pakistani persian peruvian "
        "polish portuguese roman romanian russian scottish southern spanish swahili swedish swiss thai turkish "
        "ukrainian vietnamese welsh western"
    ).split()
)
"""Never the name of a subject: words of grammar, first words of requests, months, weekdays, nationalities."""

OPENERS = frozenset(
    (
        "who what when where why which whom whose how is are was were do does did has have had can could would will "
        "should may might must i he she they we it you there this that these those the my his her their our your its "
        "and but or so then if in on at of for from by with to as please tell give name list describe explain write "
        "say yes no not also a an after before because while although let another all any some both each now here"
    ).split()
)
"""Words with which a sentence or question begins; none of them follows a title or an initial within a name."""
