"""Short lists of forenames and surnames by origin, sex and generation, written for the synthetic borough.

The lists are common knowledge, shortened and put in rough order of how usual a name is: `names.py` draws
from them with weights that fall along the list. They describe nobody; they exist so that people of one
generation share names, as real people do, and so that linkage meets hyphens, apostrophes, accents and
several naming customs.
"""

from __future__ import annotations

ORIGINS: tuple[str, ...] = (
    "british",
    "irish",
    "pakistani and bangladeshi",
    "indian",
    "black african",
    "polish and eastern european",
    "arab and turkish",
    "chinese",
    "southern european",
)
ORIGIN_WEIGHTS: tuple[float, ...] = (0.715, 0.035, 0.075, 0.045, 0.045, 0.045, 0.015, 0.01, 0.015)

GENERATIONS: tuple[int, ...] = (1957, 1980, 2000)
"""First years of the later generations: born before 1957, 1957-1979, 1980-1999, from 2000 on."""


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split())


BRITISH_WOMEN: tuple[tuple[str, ...], ...] = (
    _split(
        "Margaret Mary Jean Joan Patricia Dorothy Sheila Barbara Doreen June Shirley Pamela Maureen "
        "Brenda Joyce Ann Christine Jacqueline Rita Beryl Janet Valerie Sylvia Audrey Marjorie Eileen "
        "Kathleen Irene Hazel Judith Rosemary Elizabeth Betty Norma Gillian Edna Vera Winifred "
        "Josephine Marion"
    ),
    _split(
        "Susan Julie Karen Jacqueline Deborah Tracey Helen Jane Diane Sharon Tracy Angela Sarah "
        "Alison Caroline Amanda Sandra Linda Catherine Elizabeth Carol Joanne Wendy Nicola Jennifer "
        "Lesley Debra Michelle Lisa Samantha Anne Lorraine Elaine Paula Louise Heather Dawn Teresa "
        "Denise Beverley"
    ),
    _split(
        "Sarah Emma Laura Gemma Rebecca Claire Victoria Samantha Rachel Amy Jennifer Nicola Katie "
        "Lisa Kelly Natalie Louise Michelle Hayley Hannah Charlotte Jessica Lauren Stephanie Danielle "
        "Kirsty Jade Chloe Bethany Leanne Zoe Abigail Natasha Stacey Kayleigh Sophie Alexandra Holly "
        "Megan Lucy"
    ),
    _split(
        "Olivia Amelia Emily Grace Ruby Jessica Chloe Lily Sophie Mia Evie Ella Isabella Freya Poppy "
        "Charlotte Daisy Phoebe Lucy Millie Isla Ava Scarlett Holly Erin Rosie Florence Elsie Matilda "
        "Harriet Niamh Summer Lola Maisie Amelia-Rose Ellie-Mae Lacey Imogen Eliza Willow"
    ),
)
BRITISH_MEN: tuple[tuple[str, ...], ...] = (
    _split(
        "John William David Peter James Robert Michael Ronald Kenneth George Derek Brian Raymond "
        "Thomas Alan Dennis Roy Anthony Frederick Donald Terence Roger Leslie Arthur Gordon Geoffrey "
        "Norman Stanley Eric Albert Harold Keith Colin Graham Trevor Maurice Ernest Reginald Bernard "
        "Cyril"
    ),
    _split(
        "David Paul Andrew Mark John Michael Stephen Ian Robert Richard Christopher Peter Simon "
        "Anthony Kevin Gary Steven Martin James Philip Alan Neil Nigel Timothy Colin Graham Jonathan "
        "Nicholas William Adrian Brian Stuart Keith Thomas Carl Wayne Darren Barry Jeffrey Clive"
    ),
    _split(
        "Christopher James Matthew Daniel Andrew David Michael Thomas Robert Richard Adam Jonathan "
        "Lee Benjamin Ryan Craig Liam Joshua Jack Luke Samuel Stephen Mark Scott Joseph Nathan Jamie "
        "Alexander Nicholas Simon Gareth Ashley Jordan Kieran Aaron Callum Lewis Bradley Shaun Connor"
    ),
    _split(
        "Jack Oliver Harry Thomas Joshua William George James Charlie Alfie Daniel Jacob Ethan Samuel "
        "Oscar Noah Leo Archie Max Logan Riley Tyler Henry Freddie Theo Arthur Finley Isaac Mason "
        "Lucas Harrison Dylan Kai Reuben Toby Jayden Jude Tommy-Lee Elliot Rhys"
    ),
)

FORENAMES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "irish": (
        _split(
            "Siobhán Niamh Aoife Mary Bridget Sinéad Ciara Orla Deirdre Maeve Róisín Eileen Nora "
            "Gráinne Bernadette Fionnuala Clodagh Una Catherine Kathleen"
        ),
        _split(
            "Patrick Seán Conor Brendan Declan Eamonn Liam Kevin Ciarán Michael Padraig Cormac Niall "
            "Eoin Diarmuid Fergal Rory Gerard Oisín Tadhg"
        ),
    ),
    "pakistani and bangladeshi": (
        _split(
            "Aisha Fatima Zainab Maryam Khadija Nusrat Shazia Saima Amina Hafsa Sumaya Rukhsana "
            "Nasreen Shaheen Farzana Iqra Sana Rabia Shabana Tahira Yasmin Halima Ayesha Noor Mehreen"
        ),
        _split(
            "Mohammed Muhammad Ali Ahmed Imran Abdul Usman Hassan Bilal Omar Tariq Hamza Ibrahim "
            "Yusuf Asif Nadeem Shahid Zahid Khalid Faisal Adnan Haris Rashid Junaid Kamran"
        ),
    ),
    "indian": (
        _split(
            "Priya Anjali Neha Sunita Meena Kavita Pooja Harpreet Manpreet Jasmine Simran Kiran Asha "
            "Lakshmi Deepa Nisha Rekha Gurpreet Anita Shreya Diya Radhika Usha Jyoti Navneet"
        ),
        _split(
            "Raj Amit Sanjay Rahul Vijay Arjun Harpreet Gurpreet Jaspal Manjit Suresh Ramesh Anil "
            "Ravi Rohan Krishna Deepak Vikram Nikhil Aarav Sukhdev Balbir Dev Hardeep Ashok"
        ),
    ),
    "black african": (
        _split(
            "Blessing Grace Chioma Ngozi Ama Abena Fatou Adaeze Folasade Temitope Esther Mercy "
            "Comfort Amara Zainabu Precious Ifeoma Yetunde Halimatou Efua Hodan Sahra Tendai Chipo "
            "Nyasha"
        ),
        _split(
            "Emmanuel Samuel Kwame Kofi Chinedu Emeka Oluwaseun Babatunde Tunde Ibrahim Abdi Joseph "
            "Kwabena Daniel Chukwuemeka Ayodele Segun David Tafadzwa Tendai Farai Yaw Musa Ebenezer "
            "Femi"
        ),
    ),
    "polish and eastern european": (
        _split(
            "Anna Katarzyna Agnieszka Małgorzata Ewa Joanna Magdalena Monika Zofia Julia Maria "
            "Aleksandra Natalia Elena Ioana Gabriela Andreea Kristina Rasa Oksana Zuzanna Hanna Irina "
            "Karolina Beata"
        ),
        _split(
            "Piotr Krzysztof Andrzej Tomasz Paweł Michał Marcin Jakub Grzegorz Łukasz Adam Jan "
            "Mateusz Andrei Mihai Ionut Vasile Tomas Mindaugas Antoni Filip Kacper Oleksandr Dariusz "
            "Wojciech"
        ),
    ),
    "arab and turkish": (
        _split(
            "Layla Fatma Ayşe Zeynep Mariam Huda Noura Elif Rania Salma Hana Emine Sara Amal Dalia "
            "Esra Lina Yara"
        ),
        _split(
            "Ahmed Mehmet Mustafa Yusuf Omar Khaled Hüseyin Ali Emre Karim Hassan Samir Murat Tarek "
            "Ziad Bilal Can"
        ),
    ),
    "chinese": (
        _split(
            "Mei Li Xin Yan Ling Hui Jing Fang Wei Ying Siu-Ling Mei-Ling Grace Vivian Wai-Yee Amy Jia Yue"
        ),
        _split(
            "Wei Jun Ming Chen Hao Jie Kai Lei Tao Feng Ka-Ming Chi-Wai Jason Kevin Bo Yang Siu-Ming Peng"
        ),
    ),
    "southern european": (
        _split(
            "Maria Ana Sofia Inês Giulia Carmen Lucía Beatriz Catarina Francesca Elena Marta Chiara "
            "Teresa Eleni"
        ),
        _split(
            "João José Miguel Carlos Marco António Pedro Luca Giuseppe Javier Nuno Rui Tiago Giorgos "
            "Francisco"
        ),
    ),
}
"""For each origin but "british": women's names, then men's."""

SURNAMES: dict[str, tuple[str, ...]] = {
    "british": _split(
        "Smith Jones Taylor Brown Williams Wilson Johnson Davies Robinson Wright Thompson "
        "Evans Walker White Roberts Green Hall Wood Jackson Clarke Harris Turner Hill Cooper Ward "
        "Moore Morris Clark King Harrison Lewis Baker Lee Allen Martin Morgan Watson Parker James "
        "Bennett Young Phillips Richardson Cook Shaw Edwards Hughes Carter Mitchell Bailey Collins "
        "Price Bell Cox Adams Wilkinson Murray Foster Ellis Gray Chapman Mason Hunt Webb Rogers "
        "Holmes Knight Palmer Mills Fisher Barnes Marshall Lloyd Dixon Butler Russell Harvey Matthews "
        "Pearson Graham Fletcher Stevens Simpson Jenkins Barker Gibson Brooks Saunders Armstrong "
        "Reynolds Payne Walsh Fox Lawrence Dunn Spencer Ford Reid Hart Perry Bradley Hudson Gardner "
        "West Stone Grant Cole Day Warren Watts Nicholson Burton Hayes Riley Porter Wells Stephenson "
        "Tucker Lane Hawkins Francis Black Bird Andrews Harding Sutton Cross Newman Gilbert Carr "
        "Bishop Berry Sharp Parsons Fuller Osborne Pritchard Goodwin Metcalfe Hodgson Atkinson Iveson "
        "Robson Charlton Dodds Heslop Featherstone Golightly Raine Stobbs Campbell Stewart MacDonald "
        "McKenzie Fraser Cameron McLeod Hamilton Drummond Sinclair Rees Powell Bowen Griffiths "
        "Vaughan Tudor Pryce Nye Quick Peacock Sheepshanks"
    ),
    "irish": (
        *_split(
            "Murphy Kelly O'Brien Ryan O'Connor Byrne O'Neill Doyle McCarthy Gallagher Doherty Kennedy Lynch"
        ),
        *_split(
            "Quinn McLoughlin O'Sullivan Daly Brennan Fitzgerald O'Reilly Nolan Flynn Keane Healy "
            "O'Shea Duffy"
        ),
    ),
    "pakistani and bangladeshi": _split(
        "Khan Ahmed Hussain Ali Akhtar Mahmood Iqbal Malik Shah "
        "Rahman Miah Uddin Islam Chowdhury Hussein Aziz Mirza Qureshi Raja Rashid Butt Bashir "
        "Hassan Choudhury Sheikh"
    ),
    "indian": _split(
        "Patel Singh Kaur Sharma Shah Kumar Gill Sandhu Dhillon Desai Mistry Joshi Reddy Nair "
        "Gupta Chauhan Rai Mehta Bains Sidhu Iyer Thomas Parmar Verma Grewal"
    ),
    "black african": _split(
        "Okafor Mensah Adeyemi Okonkwo Boateng Owusu Adebayo Osei Nwosu Asante Eze "
        "Mohamed Abdi Moyo Ndlovu Diallo Ogunleye Appiah Balogun Kamara Sesay Ncube Dube Kiplagat "
        "Oyelaran"
    ),
    "polish and eastern european": _split(
        "Nowak Kowalski Wiśniewski Wójcik Kowalczyk Kamiński Lewandowski "
        "Zieliński Szymański Woźniak Dąbrowski Popescu Ionescu Kazlauskas Popa Mazur Krawczyk Petrov "
        "Horvat Jankauskas Nagy Novák Kaczmarek Stan Radu"
    ),
    "arab and turkish": (
        *_split(
            "Yılmaz Hassan Ibrahim Kaya Demir Ali Aziz Mansour Haddad Çelik Saleh Nasser Şahin Khoury Rahimi"
        ),
        "Al-Hassan",
        "El-Sayed",
        "Öztürk",
    ),
    "chinese": _split("Li Wang Zhang Chen Wong Chan Lau Liu Lam Cheung Ng Ho Leung Yang Huang Zhao Tang"),
    "southern european": (
        *_split(
            "Silva Santos Ferreira Pereira Costa Rossi Russo García Fernández González Martínez "
            "Bianchi Romano"
        ),
        *("da Silva", "dos Santos", "Papadopoulos", "Gonçalves", "Conceição", "De Luca"),
    ),
}

WOMENS_SURNAMES: tuple[str, ...] = ("Begum", "Bibi", "Khatun", "Kauser")
"""Surnames of many women of Pakistani and Bangladeshi families, which their children do not inherit."""

PLACE_STEMS: tuple[str, ...] = _split(
    "Ash Brad Thorn Hart Black Whit Ald Birk Brox Cal Carl Chad Clay Cran Crow Dal Dun Eg El Fair "
    "Farn Gar Gate Green Had Hal Ham Har Hather Haw Hazel Hea Hol Horn Hux Ing Ken Kil Lang Led Lin "
    "Lock Mal Mel Mid Mor Nether New Nor Oak Old Ot Pen Pick Rad Red Ridd Row Rush Sand Sel Shef Shel "
    "Skel Stain Stan Star Stock Strat Sut Swin Tad Tat Thirl Thur Til Tun Up Wal Wet Wick Wim Win Wit "
    "Wool Wy"
)
PLACE_ENDINGS: tuple[str, ...] = _split(
    "ton ley ford worth well field wood by ham don bourne bridge burn combe cott croft dale den gate "
    "hurst more ridge shaw stead thorpe tree wick head bury stone"
)
"""Stem and ending give the long tail of English surnames taken from places (Thornley, Ashworth)."""

NICKNAMES: dict[str, tuple[str, ...]] = {
    "Abigail": ("Abi", "Abby"),
    "Alexander": ("Alex", "Sandy", "Al"),
    "Alexandra": ("Alex", "Sandra", "Lexi"),
    "Amanda": ("Mandy",),
    "Andrew": ("Andy", "Drew"),
    "Anthony": ("Tony", "Ant"),
    "Archie": ("Archibald",),
    "Arthur": ("Art",),
    "Barbara": ("Babs", "Barb"),
    "Benjamin": ("Ben",),
    "Bethany": ("Beth",),
    "Bridget": ("Bridie", "Biddy"),
    "Catherine": ("Cathy", "Kate", "Cath"),
    "Charlotte": ("Charlie", "Lottie"),
    "Charlie": ("Charles",),
    "Christine": ("Chris", "Chrissie"),
    "Christopher": ("Chris", "Kit"),
    "Daniel": ("Dan", "Danny"),
    "David": ("Dave", "Davy"),
    "Deborah": ("Debbie", "Deb"),
    "Dorothy": ("Dot", "Dolly"),
    "Edward": ("Ted", "Ed"),
    "Elizabeth": ("Liz", "Beth", "Betty", "Lizzie"),
    "Emily": ("Em", "Millie"),
    "Francesca": ("Fran", "Franny"),
    "Frederick": ("Fred", "Freddie"),
    "Gabriela": ("Gabi",),
    "Geoffrey": ("Geoff",),
    "Gillian": ("Gill", "Jill"),
    "Gurpreet": ("Gary", "Preet"),
    "Harriet": ("Hattie",),
    "Harrison": ("Harry",),
    "Harry": ("Henry", "Harold"),
    "Isabella": ("Bella", "Izzy"),
    "Jacqueline": ("Jackie", "Jacqui"),
    "James": ("Jim", "Jamie", "Jimmy"),
    "Janet": ("Jan",),
    "Jennifer": ("Jenny", "Jen"),
    "Jessica": ("Jess", "Jessie"),
    "Joanne": ("Jo", "Joanna"),
    "John": ("Jack", "Johnny"),
    "Jonathan": ("Jon", "Jonny"),
    "Joseph": ("Joe", "Joey"),
    "Josephine": ("Jo", "Josie"),
    "Joshua": ("Josh",),
    "Judith": ("Judy", "Jude"),
    "Kathleen": ("Kath", "Kathy"),
    "Katarzyna": ("Kasia", "Kate"),
    "Kenneth": ("Ken", "Kenny"),
    "Krzysztof": ("Chris", "Krzys"),
    "Leslie": ("Les",),
    "Małgorzata": ("Gosia", "Maggie"),
    "Margaret": ("Maggie", "Peggy", "Meg"),
    "Matilda": ("Tilly",),
    "Matthew": ("Matt",),
    "Michael": ("Mike", "Mick", "Micky"),
    "Michelle": ("Shelley",),
    "Mohammed": ("Mo", "Muhammad", "Mohammad", "Mohamed"),
    "Muhammad": ("Mo", "Mohammed", "Mohamed"),
    "Natalie": ("Nat",),
    "Nicholas": ("Nick", "Nicky"),
    "Nicola": ("Nicky", "Nikki"),
    "Oliver": ("Ollie", "Olly"),
    "Oluwaseun": ("Seun",),
    "Pamela": ("Pam",),
    "Patricia": ("Pat", "Tricia", "Trish"),
    "Patrick": ("Paddy", "Pat"),
    "Peter": ("Pete",),
    "Philip": ("Phil",),
    "Raymond": ("Ray",),
    "Rebecca": ("Becky", "Becca"),
    "Reginald": ("Reg",),
    "Richard": ("Rick", "Dick", "Richie"),
    "Robert": ("Bob", "Rob", "Bobby"),
    "Ronald": ("Ron", "Ronnie"),
    "Samantha": ("Sam", "Sammy"),
    "Samuel": ("Sam", "Sammy"),
    "Stanley": ("Stan",),
    "Stephanie": ("Steph",),
    "Stephen": ("Steve", "Steven"),
    "Steven": ("Steve", "Stephen"),
    "Susan": ("Sue", "Susie"),
    "Temitope": ("Tope",),
    "Terence": ("Terry",),
    "Teresa": ("Terri", "Tess"),
    "Thomas": ("Tom", "Tommy"),
    "Timothy": ("Tim",),
    "Valerie": ("Val",),
    "Victoria": ("Vicky", "Tori"),
    "William": ("Bill", "Will", "Billy", "Liam"),
    "Winifred": ("Winnie", "Freda"),
}
"""What people are called beside what is on their birth certificate (common usage)."""

STREET_STEMS: tuple[str, ...] = _split(
    "Acacia Alder Alma Anchor Apple Ash Aspen Barley Barn Beacon Beech Bell Birch Bishop Bramble "
    "Brick Bridge Brook Cannon Canal Castle Cedar Chapel Cherry Chestnut Church Clay Cliff Coal "
    "Copper Corn Cotton Cricket Crown Curlew Dairy Dean Dock Dove East Elder Elm Fair Farm Fern Ferry "
    "Field Finch Forge Foundry Fox Garden Garth George Glebe Grange Green Grove Hall Harbour Hawthorn "
    "Hazel Heath Heron High Hill Hollow Holly Iron Ivy Kestrel Kiln King Kingfisher Lark Laurel "
    "Lavender Lime Linden Lock London Long Maple Market Marsh Mason Meadow Mill Mint Moor Nelson New "
    "North Oak Orchard Otter Park Pear Pine Plum Pond Poplar Priory Quarry Quay Queen Railway Raven "
    "Rectory Ridge River Robin Rope Rose Rowan Saddler School Ship South Spring Stable Station Stone "
    "Sycamore Tanner Temple Thorn Tower Trinity Union Vicarage Victoria Water Weaver Well West Wharf "
    "Willow Windmill Wood Wool Yew York"
)
STREET_TYPES: tuple[tuple[str, str], ...] = (
    ("Road", "Rd"),
    ("Street", "St"),
    ("Lane", "Ln"),
    ("Close", "Cl"),
    ("Avenue", "Ave"),
    ("Drive", "Dr"),
    ("Terrace", "Terr"),
    ("Way", "Way"),
    ("Crescent", "Cres"),
    ("Gardens", "Gdns"),
    ("Place", "Pl"),
    ("Grove", "Gr"),
    ("Court", "Ct"),
    ("View", "View"),
)
STREET_PREFIXES: tuple[str, ...] = ("", "Upper ", "Lower ", "Old ", "Little ", "Great ")
