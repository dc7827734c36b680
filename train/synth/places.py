"""Words that stand on plates beside the registration: states, slogans, cities, dealers, band letters. Readers must leave them out."""

from __future__ import annotations

BAND_LETTERS: dict[str, str] = {
    "AT": "A", "BE": "B", "BG": "BG", "CH": "CH", "CY": "CY", "CZ": "CZ", "DE": "D", "DK": "DK", "EE": "EST", "ES": "E", "FI": "FIN", "FR": "F", "GR": "GR",
    "HR": "HR", "HU": "H", "IE": "IRL", "IS": "IS", "IT": "I", "LT": "LT", "LU": "L", "LV": "LV", "MT": "M", "NL": "NL", "NO": "N", "PL": "PL", "PT": "P",
    "RO": "RO", "SE": "S", "SI": "SLO", "SK": "SK", "RS": "SRB", "BA": "BIH", "ME": "MNE", "MK": "MK", "AL": "AL", "XK": "RKS", "MD": "MD", "UA": "UA",
    "TR": "TR", "LI": "FL", "BY": "BY", "GE": "GE", "RU": "RUS",
}  # fmt: skip

STATES: dict[str, tuple[str, str]] = {
    "AL": ("Alabama", "Sweet Home"), "AK": ("Alaska", "The Last Frontier"), "AZ": ("Arizona", "Grand Canyon State"), "AR": ("Arkansas", "The Natural State"),
    "CA": ("California", "dmv.ca.gov"), "CO": ("Colorado", ""), "CT": ("Connecticut", "Constitution State"), "DE": ("Delaware", "The First State"),
    "DC": ("Washington, DC", "Taxation Without Representation"), "FL": ("Florida", "Sunshine State"), "GA": ("Georgia", "Peach State"),
    "HI": ("Hawaii", "Aloha State"), "ID": ("Idaho", "Famous Potatoes"), "IL": ("Illinois", "Land of Lincoln"), "IN": ("Indiana", "In God We Trust"),
    "IA": ("Iowa", "Polk"), "KS": ("Kansas", "JO"), "KY": ("Kentucky", "Bluegrass State"), "LA": ("Louisiana", "Sportsman's Paradise"),
    "ME": ("Maine", "Vacationland"), "MD": ("Maryland", "www.maryland.gov"), "MA": ("Massachusetts", "The Spirit of America"),
    "MI": ("Michigan", "Great Lakes State"), "MN": ("Minnesota", "10,000 Lakes"), "MS": ("Mississippi", "Hinds"), "MO": ("Missouri", "Show-Me State"),
    "MT": ("Montana", "Treasure State"), "NE": ("Nebraska", "www.nebraska.gov"), "NV": ("Nevada", "The Silver State"), "NH": ("New Hampshire", "Live Free or Die"),
    "NJ": ("New Jersey", "Garden State"), "NM": ("New Mexico", "Land of Enchantment"), "NY": ("New York", "Empire State"),
    "NC": ("North Carolina", "First in Flight"), "ND": ("North Dakota", "Peace Garden State"), "OH": ("Ohio", "Birthplace of Aviation"),
    "OK": ("Oklahoma", "Native America"), "OR": ("Oregon", "Pacific Wonderland"), "PA": ("Pennsylvania", "visitPA.com"), "RI": ("Rhode Island", "Ocean State"),
    "SC": ("South Carolina", "Smiling Faces"), "SD": ("South Dakota", "Great Faces. Great Places."), "TN": ("Tennessee", "The Volunteer State"),
    "TX": ("Texas", "The Lone Star State"), "UT": ("Utah", "Greatest Snow on Earth"), "VT": ("Vermont", "Green Mountain State"), "VA": ("Virginia", "In God We Trust"),
    "WA": ("Washington", "Evergreen State"), "WV": ("West Virginia", "Wild, Wonderful"), "WI": ("Wisconsin", "America's Dairyland"), "WY": ("Wyoming", ""),
}  # fmt: skip

PLACES: tuple[tuple[str, str], ...] = (
    *STATES.values(),
    ("Ontario", "Yours to Discover"), ("Quebec", "Je me souviens"), ("Beautiful British Columbia", ""), ("Alberta", "Wild Rose Country"), ("Manitoba", "Friendly"),
    ("Nova Scotia", "Canada's Ocean Playground"), ("Saskatchewan", "Land of Living Skies"), ("Costa Rica", "Centroamerica"), ("Rep. Dominicana", "Privado"),
    ("Jalisco", "Mexico"), ("Sonora", "Mex"), ("Nuevo Leon", "Mexico"), ("Distrito Federal", "Mexico"), ("Puerto Rico", "Isla del Encanto"), ("Guatemala", ""),
    ("New South Wales", ""), ("Victoria", "On the Move"), ("Queensland", "Sunshine State"), ("South Australia", ""), ("ICT", "Islamabad"), ("Punjab", ""),
)  # fmt: skip

OTHER_CAPTIONS: dict[str, tuple[str, ...]] = {
    "BR": ("SP - SAO PAULO", "BA - SALVADOR", "RJ - RIO DE JANEIRO", "MG - BELO HORIZONTE", "PR - CURITIBA", "RS - PORTO ALEGRE", "SC - FLORIANOPOLIS", "CE - FORTALEZA",
           "DF - BRASILIA", "GO - GOIANIA", "PE - RECIFE", "AM - MANAUS", "ES - VITORIA", "BRASIL", "MT - CUIABA", "SP - CAMPINAS", "PR - LONDRINA"),
    "LA": ("ARGENTINA", "CHILE", "COLOMBIA", "BOGOTA D.C.", "PERU", "ECUADOR", "MEXICO", "JALISCO", "MEDELLIN", "URUGUAY", "VENEZUELA", "PANAMA", "COSTA RICA", "GUATEMALA"),
    "IN": ("INDIA", "GOVT. OF INDIA", "POLICE", "TAXI", "ISLAMABAD", "PUNJAB", "ICT-ISLAMABAD", "SINDH", "DHAKA METRO", "ARMY", "PRESS", "KERALA"),
    "ANY": ("NORTHERN CAPE", "NEW SOUTH WALES", "VICTORIA", "QUEENSLAND", "DUBAI", "U.A.E.", "KSA", "EGYPT", "MAROC", "PHILIPPINES", "TAXI", "GP", "KENYA", "RUS",
            "MILANO", "WELLINGTON", "TUNIS", "BRUNEI", "GIBRALTAR", "CYPRUS", "MATATAG NA REPUBLIKA", "RPLATE", "2025", "04.19"),
}  # fmt: skip

DEALERS: tuple[str, ...] = (
    "www.auto-haus.de", "AUTO ITALIA Riga", "BREEZE MOTOR GROUP", "Mercedes-Benz of San Francisco", "LEXUS", "TOYOTA", "FORD CITY 555 123 4567", "Autohaus Mueller GmbH",
    "HONDA OF SEATTLE", "VEENHUIZEN PUTTEN", "www.carshop.cz", "Arnold Clark", "LOOKERS", "GATOR", "AUTOPALACE", "PERRYS", "EVANS HALSHAW", "TESLA", "VOLVO Stockholm",
    "JEEP CHRYSLER DODGE", "AUTO GALERIE", "BMW of Austin", "Listers 01242 555555", "MY OTHER CAR", "ALUMNI", "Lithia", "CarMax", "Penske", "SUBARU", "sfbenz.com",
    "BBA - Reman", "PSG PARTNERS", "Vantaan Auto", "Bilia", "SKODA", "KIA MOTORS",
)  # fmt: skip
