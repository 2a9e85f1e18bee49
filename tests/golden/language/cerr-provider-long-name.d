provider foo { probe verylongprobenamethatismorethansixtyfourcharacterslonginalltoseewhathappens(int x); }; BEGIN { exit(0); }
