"""A model without any finding, to be changed in one place at a time."""

from __future__ import annotations

TIDY = r"""{UTF-8}
Stock = INTEG(inflow - outflow, initial stock)
	~	Widget [0,1000]
	~	What is kept.
	|

inflow = normal inflow*effect of fullness(Stock/full stock)
	~	Widget/Year
	~	What comes in, less as the store fills.
	|

outflow = Stock/residence time
	~	Widget/Year
	~	What leaves.
	|

effect of fullness([(0,0)-(4,1)],(0,1),(1,0.5),(4,0.1))
	~	Dmnl
	~	judgement: falls with fullness.
	|

normal inflow = 10
	~	Widget/Year [0,20]
	~	judgement: as in most stores.
	|

initial stock = 20
	~	Widget [0,40]
	~	Source: the first stocktaking.
	|

full stock = 40
	~	Widget
	~	Smith 1999 counts forty.
	|

residence time = 4
	~	Year
	~	From https://example.org/stores.
	|

********************************************************
	.Control
********************************************************~
		Simulation control.
	|

INITIAL TIME = 2000
	~	Year
	~
	|

FINAL TIME = 2010
	~	Year
	~
	|

TIME STEP = 0.0625
	~	Year [0,1]
	~
	|

SAVEPER = 0.25
	~	Year [0.125,1]
	~
	|

\\\---/// Sketch information - do not modify anything except names
V300  Do not put anything below this section - it will be ignored
*View 1
$192-192-192,0,Times New Roman|12||0-0-0|0-0-0|0-0-255|-1--1--1|-1--1--1|72,72,100,0
10,1,Stock,307,235,40,20,3,3,0,0,0,0,0,0
10,2,inflow,408,251,49,8,40,3,0,0,-1,0,0,0
10,3,outflow,508,251,49,8,40,3,0,0,-1,0,0,0
10,4,effect_of_fullness,208,251,49,8,8,3,0,0,0,0,0,0
10,5,NORMAL INFLOW,208,151,49,8,8,3,0,0,0,0,0,0
10,6,"initial stock",108,151,49,8,8,3,0,0,0,0,0,0
10,7,full stock,108,351,49,8,8,3,0,0,0,0,0,0
10,8,residence time,108,451,49,8,8,3,0,0,0,0,0,0
///---\\\
"""


def with_changes(*changes: tuple[str, str]) -> str:
    """Return the tidy model with each text, which must occur once, replaced by another."""
    text = TIDY
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times"
        text = text.replace(old, new)
    return text


def with_block(block: str, text: str = TIDY) -> str:
    """Return a text with one more block, which the sketch shows."""
    name = block.split("=", maxsplit=1)[0].split("(", maxsplit=1)[0].strip()
    record = f"10,99,{name},1,1,40,20,3,3,0,0,0,0,0,0\n"
    return text.replace("*****", f"{block}\n\n*****", 1).replace("///---\\", f"{record}///---\\", 1)
